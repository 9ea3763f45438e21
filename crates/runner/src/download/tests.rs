use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, Receiver},
    thread,
};

use tempfile::TempDir;

use super::*;

const MD5: &str = "28cb595c158e9b74e34ae9e8da710fff";
const TOTAL: usize = 100_000;
const HALF: usize = TOTAL / 2;

/// What the servers publish.
fn content() -> Vec<u8> {
    (0..TOTAL).map(|i| (i % 251) as u8).collect()
}

/// What a server does with one connection: it sends this once it has read the request, and closes or keeps silent.
struct Answer {
    sent: Vec<u8>,
    then: Then,
}

enum Then {
    Close,
    Silence,
}

/// A status line with headers, and what follows.
fn answer(head: &str, body: &[u8]) -> Answer {
    let mut sent = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").into_bytes();
    sent.extend_from_slice(body);
    Answer {
        sent,
        then: Then::Close,
    }
}

/// The file's first `sent` bytes, announced as all of it.
fn whole(sent: usize) -> Answer {
    let head = format!("200 OK\r\nContent-Length: {TOTAL}");
    answer(&head, &content()[..sent])
}

/// The bytes `first..end`, announced as everything from `first`.
fn rest(first: usize, end: usize) -> Answer {
    let (last, length) = (TOTAL - 1, TOTAL - first);
    let head = format!(
        "206 Partial Content\r\nContent-Range: bytes {first}-{last}/{TOTAL}\r\nContent-Length: {length}"
    );
    answer(&head, &content()[first..end])
}

/// A server on loopback with an answer per connection, gone after the last.
struct Server {
    address: String,
    ranges: Receiver<Option<String>>,
}

impl Server {
    fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, ranges) = mpsc::channel();
        thread::spawn(move || {
            let mut silent = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                sender.send(requested_range(&stream)).unwrap();
                // A client that has seen enough may be gone before the end.
                let _ = stream.write_all(&answer.sent);
                if let Then::Silence = answer.then {
                    silent.push(stream);
                }
            }
        });
        Self { address, ranges }
    }

    fn url(&self) -> String {
        format!("http://{}/file.bin", self.address)
    }

    fn published(&self) -> PublishedFile {
        PublishedFile {
            url: self.url(),
            bytes: TOTAL as u64,
            md5: MD5.into(),
            file_name: "file.bin",
        }
    }

    /// The `Range` headers of the requests so far.
    fn ranges(&self) -> Vec<Option<String>> {
        self.ranges.try_iter().collect()
    }
}

/// Reads a request's head.
fn requested_range(stream: &TcpStream) -> Option<String> {
    BufReader::new(stream)
        .lines()
        .map(Result::unwrap)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("range").then(|| value.to_owned())
        })
        .last()
}

fn from(first: usize) -> Option<String> {
    Some(format!("bytes={first}-"))
}

/// A client that depends on nothing of the machine: neither on its proxy nor on its certificates.
fn plain() -> ClientBuilder {
    client("http://127.0.0.1").no_proxy().tls_certs_only([])
}

/// Fetches from a server with these answers, with three retries and hardly a pause.
async fn fetch_from(server: &Server, folder: &Path) -> Result<PathBuf, DownloadError> {
    let pauses = [Duration::from_millis(1); 3];
    fetch_with(
        plain(),
        &pauses,
        &server.published(),
        folder,
        &mut |_, _| (),
    )
    .await
}

/// The same without retries; the error's text.
async fn error_from(server: &Server, folder: &Path) -> String {
    fetch_with(plain(), &[], &server.published(), folder, &mut |_, _| ())
        .await
        .unwrap_err()
        .to_string()
}

/// The names in a folder, in order.
fn names(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Asserts that the folder holds the published file and nothing else.
fn assert_whole(folder: &TempDir) {
    assert_eq!(names(folder), ["file.bin"]);
    assert!(std::fs::read(folder.path().join("file.bin")).unwrap() == content());
}

/// Asserts that the folder holds a part with the file's first `bytes` and nothing else.
fn assert_part(folder: &TempDir, bytes: usize) {
    assert_eq!(names(folder), ["file.bin.part"]);
    assert!(std::fs::read(folder.path().join("file.bin.part")).unwrap() == content()[..bytes]);
}

#[test]
fn imdb_is_the_archive_that_its_authors_publish() {
    let imdb = imdb();
    assert_eq!(
        imdb.url,
        "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
    );
    assert_eq!(imdb.bytes, 84_125_825);
    assert_eq!(imdb.md5, "7c2ac02c03563afcf9b574c7e56c153a");
    assert_eq!(imdb.file_name, "aclImdb_v1.tar.gz");
}

#[tokio::test]
async fn a_whole_body_becomes_the_file_in_a_folder_that_is_made() {
    let server = Server::new(vec![whole(TOTAL)]);
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data/imdb");
    let mut seen = Vec::new();
    let mut progress = |bytes, total| seen.push((bytes, total));

    let path = fetch_with(plain(), &[], &server.published(), &folder, &mut progress)
        .await
        .unwrap();

    assert_eq!(path, folder.join("file.bin"));
    assert!(std::fs::read(path).unwrap() == content());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
    assert_eq!(server.ranges(), [None]);
    assert_eq!(seen.first(), Some(&(0, TOTAL as u64)));
    assert_eq!(seen.last(), Some(&(TOTAL as u64, TOTAL as u64)));
    assert!(seen.is_sorted());
}

#[tokio::test]
async fn a_body_of_unknown_length_is_taken() {
    let server = Server::new(vec![answer("200 OK", &content())]);
    let folder = tempfile::tempdir().unwrap();
    fetch_from(&server, folder.path()).await.unwrap();
    assert_whole(&folder);
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let mirror = Server::new(vec![whole(TOTAL)]);
    let head = format!(
        "302 Found\r\nLocation: {}\r\nContent-Length: 0",
        mirror.url()
    );
    let server = Server::new(vec![answer(&head, b"")]);
    let folder = tempfile::tempdir().unwrap();
    fetch_from(&server, folder.path()).await.unwrap();
    assert_whole(&folder);
}

#[tokio::test]
async fn a_truncated_body_is_kept_and_the_error_says_how_to_go_on() {
    let server = Server::new(vec![whole(HALF)]);
    let folder = tempfile::tempdir().unwrap();
    let error = error_from(&server, folder.path()).await;
    let (url, part) = (server.url(), folder.path().join("file.bin.part"));
    let (before, after) = (
        format!("the connection to {url} broke after 50000 of 100000 bytes: "),
        format!(
            "; what came is kept in {}: run the same command to go on",
            part.display()
        ),
    );
    assert!(
        error.starts_with(&before) && error.ends_with(&after),
        "{error}"
    );
    assert_part(&folder, HALF);
}

#[tokio::test]
async fn a_dropped_connection_is_resumed_where_it_broke() {
    let dropped_at_once = Answer {
        sent: Vec::new(),
        then: Then::Close,
    };
    let server = Server::new(vec![
        whole(HALF),
        dropped_at_once,
        rest(HALF, 80_000),
        rest(80_000, TOTAL),
    ]);
    let folder = tempfile::tempdir().unwrap();
    fetch_from(&server, folder.path()).await.unwrap();
    assert_eq!(
        server.ranges(),
        [None, from(HALF), from(HALF), from(80_000)]
    );
    assert_whole(&folder);
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_and_asked_again() {
    let silent = Answer {
        then: Then::Silence,
        ..whole(HALF)
    };
    let server = Server::new(vec![silent, rest(HALF, TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    let client = plain().read_timeout(Duration::from_millis(200));
    let pauses = [Duration::from_millis(1)];
    fetch_with(
        client,
        &pauses,
        &server.published(),
        folder.path(),
        &mut |_, _| (),
    )
    .await
    .unwrap();
    assert_eq!(server.ranges(), [None, from(HALF)]);
    assert_whole(&folder);
}

#[tokio::test]
async fn used_up_retries_are_an_error_and_the_next_run_goes_on() {
    let ends = [10_000, 20_000, 30_000, 40_000];
    let mut answers = vec![whole(ends[0])];
    answers.extend(ends.windows(2).map(|ends| rest(ends[0], ends[1])));
    answers.push(rest(40_000, TOTAL));
    let server = Server::new(answers);
    let folder = tempfile::tempdir().unwrap();

    let error = fetch_from(&server, folder.path()).await.unwrap_err();
    assert!(
        matches!(error, DownloadError::Broken { bytes: 40_000, .. }),
        "{error}"
    );
    assert_eq!(
        server.ranges(),
        [None, from(10_000), from(20_000), from(30_000)]
    );
    assert_part(&folder, 40_000);

    fetch_from(&server, folder.path()).await.unwrap();
    assert_eq!(server.ranges(), [from(40_000)]);
    assert_whole(&folder);
}

#[tokio::test]
async fn a_server_that_is_not_there_leaves_nothing_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (_, ranges) = mpsc::channel();
    let server = Server { address, ranges };
    let folder = tempfile::tempdir().unwrap();

    let error = fetch_from(&server, folder.path())
        .await
        .unwrap_err()
        .to_string();

    let (before, after) = (
        format!("nothing came from {}: ", server.url()),
        "; check the network, and run the same command again",
    );
    assert!(
        error.starts_with(&before) && error.ends_with(after),
        "{error}"
    );
    assert!(names(&folder).is_empty());
}

#[tokio::test]
async fn an_address_that_is_none_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let published = PublishedFile {
        url: "file.bin".into(),
        bytes: 1,
        md5: MD5.into(),
        file_name: "file.bin",
    };
    // The pause would be noticed.
    let pauses = [Duration::from_secs(3600)];
    let error = fetch_with(plain(), &pauses, &published, folder.path(), &mut |_, _| ())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("file.bin cannot be asked for: "),
        "{error}"
    );
    assert!(names(&folder).is_empty());
}

#[tokio::test]
async fn a_part_of_an_earlier_run_is_resumed() {
    let server = Server::new(vec![rest(HALF, TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "file.bin.part", &content()[..HALF]);
    let mut first = None;
    let mut progress = |bytes, total| {
        first.get_or_insert((bytes, total));
    };

    fetch_with(
        plain(),
        &[],
        &server.published(),
        folder.path(),
        &mut progress,
    )
    .await
    .unwrap();

    assert_eq!(first, Some((HALF as u64, TOTAL as u64)));
    assert_eq!(server.ranges(), [from(HALF)]);
    assert_whole(&folder);
}

#[tokio::test]
async fn a_complete_part_needs_no_request() {
    let server = Server::new(vec![whole(TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "file.bin.part", &content());
    fetch_from(&server, folder.path()).await.unwrap();
    assert!(server.ranges().is_empty());
    assert_whole(&folder);
}

#[tokio::test]
async fn a_part_that_is_too_long_starts_again() {
    let server = Server::new(vec![whole(TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "file.bin.part", &vec![7; TOTAL + 1]);
    fetch_from(&server, folder.path()).await.unwrap();
    assert_eq!(server.ranges(), [None]);
    assert_whole(&folder);
}

#[tokio::test]
async fn a_server_that_ignores_ranges_makes_it_start_again() {
    let server = Server::new(vec![whole(TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "file.bin.part", &vec![7; HALF]);
    fetch_from(&server, folder.path()).await.unwrap();
    assert_eq!(server.ranges(), [from(HALF)]);
    assert_whole(&folder);
}

#[tokio::test]
async fn a_refused_or_different_range_makes_it_start_again() {
    let refused = "416 Range Not Satisfiable\r\nContent-Range: bytes */100000\r\nContent-Length: 0";
    for first_answer in [
        answer(refused, b""),
        answer("416 Range Not Satisfiable\r\nContent-Length: 0", b""),
        rest(HALF + 1, TOTAL),
    ] {
        let server = Server::new(vec![first_answer, whole(TOTAL)]);
        let folder = tempfile::tempdir().unwrap();
        write(&folder, "file.bin.part", &content()[..HALF]);
        fetch_from(&server, folder.path()).await.unwrap();
        assert_eq!(server.ranges(), [from(HALF), None]);
        assert_whole(&folder);
    }
}

#[tokio::test]
async fn a_wrong_checksum_removes_the_part_and_names_both() {
    let mut other = content();
    other.reverse();
    let head = format!("200 OK\r\nContent-Length: {TOTAL}");
    let server = Server::new(vec![answer(&head, &other)]);
    let folder = tempfile::tempdir().unwrap();
    let error = fetch_from(&server, folder.path())
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        format!(
            "what came from {} has the MD5 eda10785d74acff295cd5da0367e9cd0 where {MD5} is published; it is removed: \
             run the same command to start from the beginning",
            server.url()
        )
    );
    assert!(names(&folder).is_empty());
}

#[tokio::test]
async fn a_file_of_another_size_is_not_downloaded() {
    let server = Server::new(vec![answer("200 OK\r\nContent-Length: 5", b"login")]);
    let folder = tempfile::tempdir().unwrap();
    let error = error_from(&server, folder.path()).await;
    assert_eq!(
        error,
        format!(
            "{} sends 5 bytes where 100000 are published, so it is another file; nothing of it is kept: try again \
             later or from another network",
            server.url()
        )
    );
    assert!(names(&folder).is_empty());
}

#[tokio::test]
async fn a_file_of_another_size_does_not_cost_what_is_there() {
    let other =
        "206 Partial Content\r\nContent-Range: bytes 50000-50004/50005\r\nContent-Length: 5";
    for first_answer in [
        answer("200 OK\r\nContent-Length: 5", b"login"),
        answer(other, b"login"),
    ] {
        let server = Server::new(vec![first_answer]);
        let folder = tempfile::tempdir().unwrap();
        write(&folder, "file.bin.part", &content()[..HALF]);
        let error = fetch_from(&server, folder.path()).await.unwrap_err();
        assert!(matches!(error, DownloadError::WrongSize { .. }), "{error}");
        assert_part(&folder, HALF);
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_cut_off() {
    let mut long = content();
    long.push(7);
    let server = Server::new(vec![answer("200 OK", &long)]);
    let folder = tempfile::tempdir().unwrap();
    let error = fetch_from(&server, folder.path()).await.unwrap_err();
    assert!(
        matches!(error, DownloadError::WrongSize { got, .. } if got > TOTAL as u64),
        "{error}"
    );
    assert!(names(&folder).is_empty());
}

#[tokio::test]
async fn an_error_status_is_reported_with_its_address_and_not_tried_again() {
    let missing = answer("404 Not Found\r\nContent-Length: 4", b"gone");
    let server = Server::new(vec![missing, whole(TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    let error = fetch_from(&server, folder.path())
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        format!(
            "{} answered 404 Not Found; try again later, or download the file elsewhere",
            server.url()
        )
    );
    assert_eq!(server.ranges(), [None]);
    assert!(names(&folder).is_empty());
}

#[tokio::test]
async fn an_error_status_keeps_the_part() {
    let server = Server::new(vec![answer(
        "503 Service Unavailable\r\nContent-Length: 0",
        b"",
    )]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "file.bin.part", &content()[..HALF]);
    let error = error_from(&server, folder.path()).await;
    assert!(error.contains("503 Service Unavailable"), "{error}");
    assert_part(&folder, HALF);
}

#[tokio::test]
async fn a_complete_file_is_not_fetched_again() {
    let server = Server::new(vec![whole(TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    let there = write(&folder, "file.bin", &content());
    let published = PublishedFile {
        md5: MD5.to_uppercase(),
        ..server.published()
    };
    let mut seen = Vec::new();
    let mut progress = |bytes, total| seen.push((bytes, total));

    let path = fetch(&published, folder.path(), &mut progress)
        .await
        .unwrap();

    assert_eq!(path, there);
    assert_eq!(seen, [(TOTAL as u64, TOTAL as u64)]);
    assert!(server.ranges().is_empty());
    assert_whole(&folder);
}

#[tokio::test]
async fn a_wrong_file_is_not_overwritten() {
    let mut other = content();
    other.reverse();
    for (bytes, why) in [
        (&b"mine"[..], "it has 4 bytes instead of 100000".to_owned()),
        (
            &other,
            format!("its MD5 is eda10785d74acff295cd5da0367e9cd0 instead of {MD5}"),
        ),
    ] {
        let server = Server::new(vec![whole(TOTAL)]);
        let folder = tempfile::tempdir().unwrap();
        let path = write(&folder, "file.bin", bytes);
        let error = fetch_from(&server, folder.path())
            .await
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!(
                "{} is not the published file: {why}; move it away or remove it, and run the same command again",
                path.display()
            )
        );
        assert!(server.ranges().is_empty());
        assert_eq!(names(&folder), ["file.bin"]);
        assert!(std::fs::read(path).unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_folder_in_the_files_place_is_reported() {
    let server = Server::new(vec![whole(TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("file.bin")).unwrap();
    let error = error_from(&server, folder.path()).await;
    assert!(
        error.contains("file.bin is not the published file: it is not a file;"),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_in_the_folders_place_is_named() {
    let server = Server::new(vec![whole(TOTAL)]);
    let parent = tempfile::tempdir().unwrap();
    let folder = write(&parent, "data", b"");
    let error = error_from(&server, &folder).await;
    let before = format!("cannot create the folder {}: ", folder.display());
    assert!(error.starts_with(&before), "{error}");
    assert!(
        error.ends_with("; check that the folder can be written to and that the disk has room"),
        "{error}"
    );
    assert!(server.ranges().is_empty());
    assert_eq!(names(&parent), ["data"]);
}

#[tokio::test]
async fn two_downloads_do_not_share_a_part() {
    let server = Server::new(vec![whole(TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    let part = write(&folder, "file.bin.part", &content()[..HALF]);
    let other = std::fs::File::open(&part).unwrap();
    other.lock().unwrap();
    let error = error_from(&server, folder.path()).await;
    assert_eq!(
        error,
        format!(
            "{} is being written by another download; wait until that is done, and run the same command again",
            part.display()
        )
    );
    assert!(server.ranges().is_empty());
    drop(other);
    assert_part(&folder, HALF);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_parts_place_is_not_written_through() {
    let server = Server::new(vec![whole(TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    let other = write(&folder, "other", b"mine");
    std::os::unix::fs::symlink(&other, folder.path().join("file.bin.part")).unwrap();
    let error = error_from(&server, folder.path()).await;
    assert!(error.contains("it is no regular file"), "{error}");
    assert_eq!(std::fs::read(&other).unwrap(), b"mine");
    assert!(server.ranges().is_empty());
}

#[tokio::test]
async fn an_https_address_leads_to_no_other_kind() {
    let server = Server::new(vec![whole(TOTAL)]);
    let folder = tempfile::tempdir().unwrap();
    for url in [
        "https://example.org/file.bin",
        "HTTPS://example.org",
        "example.org",
    ] {
        let client = client(url).no_proxy().tls_certs_only([]);
        let published = server.published();
        let error = fetch_with(client, &[], &published, folder.path(), &mut |_, _| ())
            .await
            .unwrap_err();
        assert!(matches!(error, DownloadError::Unusable { .. }), "{error}");
    }
    assert_eq!(server.ranges(), []);
    let client = client("HTTP://127.0.0.1").no_proxy().tls_certs_only([]);
    fetch_with(
        client,
        &[],
        &server.published(),
        folder.path(),
        &mut |_, _| (),
    )
    .await
    .unwrap();
    assert_whole(&folder);
}

#[tokio::test]
async fn redirects_without_end_are_refused_and_not_tried_again() {
    let again = || answer("302 Found\r\nLocation: /file.bin\r\nContent-Length: 0", b"");
    let server = Server::new((0..50).map(|_| again()).collect());
    let folder = tempfile::tempdir().unwrap();
    let error = fetch_from(&server, folder.path()).await.unwrap_err();
    assert!(matches!(error, DownloadError::Redirect { .. }), "{error}");
    assert!(server.ranges().len() < 20);
    assert!(names(&folder).is_empty());
}

#[test]
fn a_content_range_is_read_as_far_as_it_is_one() {
    for (value, expected) in [
        ("bytes 5-9/20", (Some(5), Some(20))),
        ("bytes 5-9/*", (Some(5), None)),
        ("bytes */20", (None, Some(20))),
        ("bytes -9/20", (None, Some(20))),
        ("bytes 5/20", (None, Some(20))),
        (
            "bytes 18446744073709551616-9/18446744073709551616",
            (None, None),
        ),
        ("bytes 5-9", (None, None)),
        ("items 5-9/20", (None, None)),
        ("", (None, None)),
    ] {
        assert_eq!(content_range(value), expected, "{value}");
    }
}
