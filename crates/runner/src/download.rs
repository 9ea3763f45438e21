//! Downloads a published file so that it ends up whole or not at all.
//!
//! What comes is written to `<name>.part`, which a later try, or a later run, goes on from. Only a file of the
//! published size and MD5 gets its final name, so whoever finds that name can rely on what is in it.

use std::{
    error::Error,
    fmt::Write as _,
    fs::TryLockError,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use md5::{Digest, Md5};
use reqwest::{
    Client, ClientBuilder, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_RANGE, RANGE},
};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

#[cfg(test)]
mod tests;

/// How long to wait for a connection, and for the next data on one. The whole may take as long as it needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pauses before the second, third and fourth try of one run.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// A file that somebody publishes, and how to know that it's whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// Where it is, `https://` or `http://`.
    pub url: String,
    /// Its size.
    pub bytes: u64,
    /// Its MD5 in hexadecimal.
    pub md5: String,
    /// The name that it gets on disk.
    pub file_name: &'static str,
}

/// Why a published file is not on disk.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Something else has the file's name.
    #[error(
        "{} is not the published file: {why}; move it away or remove it, and run the same command again",
        path.display()
    )]
    Occupied {
        /// What is in the way.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },

    /// Another process downloads the same file into the same folder.
    #[error(
        "{} is being written by another download; wait until that is done, and run the same command again",
        part.display()
    )]
    Busy {
        /// What the other process has locked.
        part: PathBuf,
    },

    /// No request can be made at all.
    #[error(
        "{url} cannot be asked for: {reason}; HTTPS needs the system's CA certificates (package `ca-certificates` on \
         Linux), and an address begins with https:// or http://"
    )]
    Unusable {
        /// What was to be asked for.
        url: String,
        /// The cause.
        reason: String,
    },

    /// No try got a byte of it.
    #[error("nothing came from {url}: {reason}; check the network, and run the same command again")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The cause.
        reason: String,
    },

    /// The server answered with an error.
    #[error("{url} answered {status}; try again later, or download the file elsewhere")]
    Status {
        /// What was asked for, after redirects.
        url: String,
        /// The answer.
        status: StatusCode,
    },

    /// The server sends elsewhere, where nobody may be asked for the file.
    #[error(
        "{url} redirects in a way that is not followed: {reason}; an address that begins with https:// leads to others of \
         that kind alone: try again later, or download the file elsewhere"
    )]
    Redirect {
        /// What was asked for.
        url: String,
        /// The cause.
        reason: String,
    },

    /// The connection broke, and no later try got the rest.
    #[error(
        "the connection to {url} broke after {bytes} of {total} bytes: {reason}; what came is kept in {}: run the same \
         command to go on",
        part.display()
    )]
    Broken {
        /// What was asked for.
        url: String,
        /// How much is on disk.
        bytes: u64,
        /// How much there is.
        total: u64,
        /// Where it is kept.
        part: PathBuf,
        /// The cause.
        reason: String,
    },

    /// The server has a file of another size.
    #[error(
        "{url} sends {got} bytes where {expected} are published, so it is another file; nothing of it is kept: try \
         again later or from another network"
    )]
    WrongSize {
        /// What was asked for, after redirects.
        url: String,
        /// What the server announced, or sent so far.
        got: u64,
        /// What is published.
        expected: u64,
    },

    /// As many bytes came as are published, but not the same ones.
    #[error(
        "what came from {url} has the MD5 {got} where {expected} is published; it is removed: run the same command to \
         start from the beginning"
    )]
    WrongChecksum {
        /// What was asked for.
        url: String,
        /// What came.
        got: String,
        /// What is published.
        expected: String,
    },

    /// The disk didn't do what was asked of it.
    #[error(
        "cannot {action} {}: {reason}; check that the folder can be written to and that the disk has room",
        path.display()
    )]
    Disk {
        /// What was asked.
        action: &'static str,
        /// Of which file or folder.
        path: PathBuf,
        /// The cause.
        reason: io::Error,
    },
}

impl DownloadError {
    /// Whether another try may get further.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken { .. })
    }
}

/// The Large Movie Review Dataset as its authors publish it.
pub fn imdb() -> PublishedFile {
    PublishedFile {
        url: "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz".into(),
        bytes: 84_125_825,
        md5: "7c2ac02c03563afcf9b574c7e56c153a".into(),
        file_name: "aclImdb_v1.tar.gz",
    }
}

/// Downloads a file into `folder`, which is made if need be, and returns its path.
///
/// A file that is there already is checked and not downloaded again. `<name>.part`, left by an earlier run, is gone on
/// from; so is a connection that breaks, a few times. `progress` is told the bytes that are on disk and the total.
pub async fn fetch(
    published: &PublishedFile,
    folder: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<PathBuf, DownloadError> {
    fetch_with(client(&published.url), &PAUSES, published, folder, progress).await
}

/// The client of real downloads from `url`, which leads from HTTPS to HTTPS alone. Nothing is asked of the system
/// before it's built.
fn client(url: &str) -> ClientBuilder {
    let is_plain = url
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
    Client::builder()
        .https_only(!is_plain)
        .user_agent(concat!("gatefold/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
}

/// [`fetch`], with a client and pauses of the caller's choice.
async fn fetch_with(
    client: ClientBuilder,
    pauses: &[Duration],
    published: &PublishedFile,
    folder: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<PathBuf, DownloadError> {
    let path = folder.join(published.file_name);
    fs::create_dir_all(folder)
        .await
        .map_err(disk("create the folder", folder))?;
    if is_there(published, &path).await? {
        progress(published.bytes, published.bytes);
        return Ok(path);
    }

    let part_path = folder.join(format!("{}.part", published.file_name));
    let mut part = Part::open(part_path, published.bytes).await?;
    let completed = complete(client, pauses, published, &mut part, progress).await;
    if completed.is_err() && part.bytes == 0 {
        // The error is what matters, and the next run can do with an empty part.
        let _ = fs::remove_file(&part.path).await;
    }
    completed?;
    fs::rename(&part.path, &path)
        .await
        .map_err(disk("rename the download to", &path))?;
    Ok(path)
}

/// Whether the published file is at `path`; an error if another one is.
async fn is_there(published: &PublishedFile, path: &Path) -> Result<bool, DownloadError> {
    let occupied = |why| DownloadError::Occupied {
        path: path.into(),
        why,
    };
    let metadata = match fs::metadata(path).await {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(disk("look at", path)(error)),
    };
    if !metadata.is_file() {
        return Err(occupied("it is not a file".into()));
    }
    let (got, expected) = (metadata.len(), published.bytes);
    if got != expected {
        return Err(occupied(format!(
            "it has {got} bytes instead of {expected}"
        )));
    }
    let got = async { md5(&mut File::open(path).await?).await }
        .await
        .map_err(disk("read", path))?;
    let expected = &published.md5;
    if !got.eq_ignore_ascii_case(expected) {
        return Err(occupied(format!("its MD5 is {got} instead of {expected}")));
    }
    Ok(true)
}

/// Gets what the part lacks, in as many tries as there are pauses and one more, and checks the whole.
async fn complete(
    client: ClientBuilder,
    pauses: &[Duration],
    published: &PublishedFile,
    part: &mut Part,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), DownloadError> {
    progress(part.bytes, published.bytes);
    if part.bytes < published.bytes {
        // A provider that is installed already does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = client.build().map_err(|error| DownloadError::Unusable {
            url: published.url.clone(),
            reason: root_cause(&error),
        })?;
        let mut pauses = pauses.iter();
        while let Err(error) = request(&client, published, part, progress).await {
            match pauses.next() {
                Some(&pause) if error.may_pass() => {
                    let (bytes, total) = (part.bytes, published.bytes);
                    tracing::info!(
                        bytes,
                        total,
                        "the download stopped; trying again in {pause:?}"
                    );
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(error),
            }
        }
    }
    part.check(published).await
}

/// One request for what the part lacks. It succeeds if the part then has as many bytes as are published.
async fn request(
    client: &Client,
    published: &PublishedFile,
    part: &mut Part,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), DownloadError> {
    let total = published.bytes;
    // Bytes and ranges are those of the file, not of a compressed form of it.
    let mut request = client
        .get(&published.url)
        .header(ACCEPT_ENCODING, "identity");
    if part.bytes > 0 {
        request = request.header(RANGE, format!("bytes={}-", part.bytes));
    }
    let mut response = request.send().await.map_err(|error| {
        let reason = root_cause(&error);
        let url = published.url.clone();
        if error.is_builder() {
            DownloadError::Unusable { url, reason }
        } else if error.is_redirect() {
            DownloadError::Redirect { url, reason }
        } else {
            part.broken(published, reason)
        }
    })?;

    let url = response.url().to_string();
    let wrong_size = |got| DownloadError::WrongSize {
        url: url.clone(),
        got,
        expected: total,
    };
    let status = response.status();
    let (first, length) = match status {
        StatusCode::OK => (Some(0), response.content_length()),
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            let range = response.headers().get(CONTENT_RANGE);
            content_range(
                range
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default(),
            )
        }
        _ => return Err(DownloadError::Status { url, status }),
    };
    if let Some(got) = length.filter(|&got| got != total) {
        return Err(wrong_size(got));
    }
    // The whole, from a server without ranges, or an answer to another question: either way the part is of no use.
    let continues = first == Some(part.bytes);
    if !continues {
        part.start_over().await?;
        progress(0, total);
    }
    if !continues && status != StatusCode::OK {
        let reason = format!("it answered {status} with another range than asked for");
        return Err(part.broken(published, reason));
    }

    let reason = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let got = part.bytes + chunk.len() as u64;
                if got > total {
                    part.start_over().await?;
                    return Err(wrong_size(got));
                }
                part.append(&chunk).await?;
                progress(part.bytes, total);
            }
            Ok(None) => break "the server stopped early".into(),
            Err(error) => break root_cause(&error),
        }
    };
    // Only what is in the file counts, for this error's number as for the next try's range.
    part.flush().await?;
    if part.bytes == total {
        return Ok(());
    }
    Err(part.broken(published, reason))
}

/// The file that a download grows in, locked for as long as this process has it open.
struct Part {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Part {
    /// Opens the part at its end, which is its beginning if it's new or holds more than it can.
    async fn open(path: PathBuf, most: u64) -> Result<Self, DownloadError> {
        // A link would be written through, and a pipe waited for.
        if fs::symlink_metadata(&path)
            .await
            .is_ok_and(|there| !there.is_file())
        {
            let why = "it is no regular file".into();
            return Err(DownloadError::Occupied { path, why });
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .await
            .map_err(disk("open", &path))?
            .into_std()
            .await;
        // Two processes in one part would mix their bytes. A file system without locks is no reason to refuse.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(DownloadError::Busy { part: path });
        }
        let mut file = File::from_std(file);
        let bytes = file
            .seek(SeekFrom::End(0))
            .await
            .map_err(disk("read", &path))?;
        let mut part = Self { path, file, bytes };
        if bytes > most {
            part.start_over().await?;
        }
        Ok(part)
    }

    async fn append(&mut self, chunk: &[u8]) -> Result<(), DownloadError> {
        self.file
            .write_all(chunk)
            .await
            .map_err(disk("write to", &self.path))?;
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), DownloadError> {
        self.file
            .flush()
            .await
            .map_err(disk("write to", &self.path))
    }

    /// Empties the part.
    async fn start_over(&mut self) -> Result<(), DownloadError> {
        self.bytes = 0;
        async {
            self.file.set_len(0).await?;
            self.file.rewind().await.map(drop)
        }
        .await
        .map_err(disk("empty", &self.path))
    }

    /// The error of a try that ended with what the part has now.
    fn broken(&self, published: &PublishedFile, reason: String) -> DownloadError {
        let url = published.url.clone();
        match self.bytes {
            0 => DownloadError::Unreachable { url, reason },
            bytes => DownloadError::Broken {
                url,
                bytes,
                total: published.bytes,
                part: self.path.clone(),
                reason,
            },
        }
    }

    /// Makes sure that the complete part is on disk, and that it's the published file; removes it if it's not.
    async fn check(&mut self, published: &PublishedFile) -> Result<(), DownloadError> {
        self.file
            .sync_all()
            .await
            .map_err(disk("write to", &self.path))?;
        let got = async {
            self.file.rewind().await?;
            md5(&mut self.file).await
        }
        .await
        .map_err(disk("read", &self.path))?;
        if got.eq_ignore_ascii_case(&published.md5) {
            return Ok(());
        }
        fs::remove_file(&self.path)
            .await
            .map_err(disk("remove", &self.path))?;
        Err(DownloadError::WrongChecksum {
            url: published.url.clone(),
            got,
            expected: published.md5.clone(),
        })
    }
}

/// The MD5 of the rest of a file, in hexadecimal.
async fn md5(file: &mut File) -> io::Result<String> {
    let mut buffer = vec![0; 1 << 20];
    let mut hash = Md5::new();
    loop {
        match file.read(&mut buffer).await? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

/// The first byte and the file's size of `Content-Range: bytes 5-9/20`; a star stands for what a server doesn't say.
pub(crate) fn content_range(value: &str) -> (Option<u64>, Option<u64>) {
    let range = value.strip_prefix("bytes ");
    let Some((range, size)) = range.and_then(|range| range.split_once('/')) else {
        return (None, None);
    };
    let first = range
        .split_once('-')
        .and_then(|(first, _)| first.parse().ok());
    (first, size.parse().ok())
}

/// What is at the end of a chain of errors: the ones before it only say that a request failed.
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Says which file or folder an error of the operating system is about.
fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DownloadError {
    let path = path.to_path_buf();
    move |reason| DownloadError::Disk {
        action,
        path,
        reason,
    }
}
