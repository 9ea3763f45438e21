//! Ctrl-C, and on Unix SIGTERM: once asks for a good end, twice ends at once.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use tokio::runtime::Builder;

/// Listens for signals that ask the program to end.
#[derive(Debug)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens from now on, on a thread of its own, where the first signal calls `on_first`. The second
    /// ends the process with 128 and the signal's number: 130 for Ctrl-C, 143 for SIGTERM.
    ///
    /// # Errors
    /// If the operating system gives no thread, or lets nobody listen.
    pub fn listen(on_first: impl Fn() + Send + 'static) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot listen for Ctrl-C")?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::new().context("cannot listen for Ctrl-C")?
        };
        let requested = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&requested);
        let listen = move || {
            runtime.block_on(async {
                loop {
                    let number = signals.next().await;
                    if flag.swap(true, Ordering::SeqCst) {
                        process::exit(128 + number);
                    }
                    on_first();
                }
            })
        };
        std::thread::Builder::new()
            .name("interrupt".into())
            .spawn(listen)
            .context("cannot listen for Ctrl-C")?;
        Ok(Self { requested })
    }

    /// Whether a signal has come.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }
}

impl Drop for Interrupt {
    /// With nobody left to ask, the next signal ends the process at once.
    fn drop(&mut self) {
        self.requested.store(true, Ordering::SeqCst);
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next signal's number.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    /// The next signal's number.
    async fn next(&mut self) -> i32 {
        self.0.recv().await;
        2
    }
}

/// Each test runs itself again as a process of its own, which the signals are for.
#[cfg(all(test, unix))]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    const INSIDE: &str = "GATEFOLD_TEST_INSIDE";

    /// Starts the test of this name again.
    fn start(test: &str) -> (Child, impl FnMut(&str)) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                &format!("interrupt::tests::{test}"),
                "--exact",
                "--nocapture",
            ])
            .env(INSIDE, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, move |expected: &str| {
            let line = lines.find(|line| line.as_ref().unwrap().ends_with(expected));
            assert!(line.is_some(), "`{expected}` was never said");
        })
    }

    fn send(signal: &str, child: &Child) {
        let sent = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    fn say(line: &str) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{line}").unwrap();
        out.flush().unwrap();
    }

    /// Inside: listens, and comes to no end in time unless a second signal makes it.
    fn listen_for_long() {
        let (heard, first) = mpsc::channel();
        let interrupt = Interrupt::listen(move || heard.send(()).unwrap()).unwrap();
        assert!(!interrupt.requested());
        say("listening");
        first.recv().unwrap();
        assert!(interrupt.requested());
        say("requested");
        thread::sleep(Duration::from_secs(60));
    }

    #[test]
    fn the_first_signal_is_told_and_the_second_ends_the_process() {
        if std::env::var_os(INSIDE).is_some() {
            return listen_for_long();
        }
        for (first, second, code) in [
            ("INT", "INT", 130),
            ("INT", "TERM", 143),
            ("TERM", "INT", 130),
        ] {
            let (mut child, mut expect) =
                start("the_first_signal_is_told_and_the_second_ends_the_process");
            expect("listening");
            send(first, &child);
            expect("requested");
            assert!(child.try_wait().unwrap().is_none(), "it ended too early");
            send(second, &child);
            assert_eq!(child.wait().unwrap().code(), Some(code));
        }
    }

    #[test]
    fn when_nobody_asks_any_longer_one_signal_ends_the_process() {
        if std::env::var_os(INSIDE).is_some() {
            drop(Interrupt::listen(|| {}).unwrap());
            say("dropped");
            return thread::sleep(Duration::from_secs(60));
        }
        let (mut child, mut expect) =
            start("when_nobody_asks_any_longer_one_signal_ends_the_process");
        expect("dropped");
        send("INT", &child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}
