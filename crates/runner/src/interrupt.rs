//! Signals that ask the program to end: the first for a good end, the second at once.
//!
//! Ctrl-C, and on Unix SIGTERM and SIGHUP; on Windows Ctrl-Break, and the end of the console, of the session
//! and of the system.

use std::io;
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Builder;

/// How long the end of the process waits for a terminal that does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Those who listen now.
static LISTENERS: Mutex<Vec<Arc<Listener>>> = Mutex::new(Vec::new());

struct Listener {
    /// What the first signal makes the process's exit code; 0 before it.
    code: AtomicU8,
    on_first: Box<dyn Fn() + Send + Sync>,
    before_exit: Box<dyn Fn() + Send + Sync>,
}

/// Listens for signals that ask the program to end, until it is dropped.
pub struct Interrupt(Arc<Listener>);

impl Interrupt {
    /// Listens from now on. The first signal calls `on_first`; the second calls `before_exit` and ends the process
    /// with its exit code: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP. Both are called on threads of their
    /// own, and need not return.
    ///
    /// Once there was a listener and while there is none, a signal ends the process at once.
    ///
    /// # Errors
    /// If the operating system gives no thread, or lets nobody listen.
    pub fn listen(
        on_first: impl Fn() + Send + Sync + 'static,
        before_exit: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self> {
        hear().context("cannot listen for Ctrl-C")?;
        let listener = Arc::new(Listener {
            code: AtomicU8::new(0),
            on_first: Box::new(on_first),
            before_exit: Box::new(before_exit),
        });
        lock(&LISTENERS).push(Arc::clone(&listener));
        Ok(Self(listener))
    }

    /// The exit code that a signal asked for, once one has come.
    pub fn exit_code(&self) -> Option<u8> {
        let code = self.0.code.load(Ordering::SeqCst);
        (code != 0).then_some(code)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        lock(&LISTENERS).retain(|listener| !Arc::ptr_eq(listener, &self.0));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears the process's signals, on one thread for the life of the process.
fn hear() -> io::Result<()> {
    static HEARING: Mutex<bool> = Mutex::new(false);
    let mut hearing = lock(&HEARING);
    if *hearing {
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    heard(signals.next().await);
                }
            })
        })?;
    *hearing = true;
    Ok(())
}

/// A signal that asks for this exit code has come.
fn heard(code: u8) {
    let listeners = lock(&LISTENERS).clone();
    let is_first = |listener: &Arc<Listener>| {
        let first = listener
            .code
            .compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
        first.is_ok()
    };
    if !listeners.is_empty() && listeners.iter().all(is_first) {
        aside(move || listeners.iter().for_each(|listener| (listener.on_first)()));
        return;
    }
    let end = aside(move || {
        listeners
            .iter()
            .for_each(|listener| (listener.before_exit)())
    });
    let _ = end.recv_timeout(PATIENCE);
    process::exit(code.into());
}

/// Does `work` where it keeps no signal waiting: standard error may be a pipe that nobody reads. The receiver
/// hears of its end.
fn aside(work: impl FnOnce() + Send + 'static) -> Receiver<()> {
    let (done, end) = channel();
    // Without a thread, what is lost is a message or the terminal's state.
    let _ = thread::Builder::new().spawn(move || {
        work();
        drop(done);
    });
    end
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: match hang_ups_are_ignored() {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    /// The exit code that the next signal asks for.
    async fn next(&mut self) -> u8 {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
            _ = hang_up => 129,
        }
    }
}

/// Whether the process was started to outlive its terminal, as `nohup` does it. Linux alone tells.
#[cfg(unix)]
fn hang_ups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is the first signal, SIGHUP.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    stop: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    logoff: tokio::signal::windows::CtrlLogoff,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::windows;
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            stop: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            logoff: windows::ctrl_logoff()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    /// The exit code that the next signal asks for: that of its nearest relation on Unix.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.stop.recv() => 130,
            _ = self.close.recv() => 129,
            _ = self.logoff.recv() => 143,
            _ = self.shutdown.recv() => 143,
        }
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
        start_by(&["env"], test)
    }

    /// The same, as what `launcher` starts.
    fn start_by(launcher: &[&str], test: &str) -> (Child, impl FnMut(&str)) {
        let mut child = Command::new(launcher[0])
            .args(&launcher[1..])
            .arg(std::env::current_exe().unwrap())
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

    fn inside() -> bool {
        std::env::var_os(INSIDE).is_some()
    }

    /// Inside: listens, and comes to no end in time unless a second signal makes it.
    fn listen_for_long() {
        let (heard, first) = mpsc::channel();
        let on_first = move || heard.send(()).unwrap();
        let interrupt = Interrupt::listen(on_first, || say("before the exit")).unwrap();
        assert_eq!(interrupt.exit_code(), None);
        say("listening");
        first.recv().unwrap();
        say(&format!("asked for {}", interrupt.exit_code().unwrap()));
        thread::sleep(Duration::from_secs(60));
    }

    #[test]
    fn the_first_signal_is_told_and_the_second_ends_the_process() {
        if inside() {
            return listen_for_long();
        }
        for (first, asked, second, code) in [
            ("INT", 130, "INT", 130),
            ("INT", 130, "TERM", 143),
            ("TERM", 143, "HUP", 129),
            ("HUP", 129, "INT", 130),
        ] {
            let (mut child, mut expect) =
                start("the_first_signal_is_told_and_the_second_ends_the_process");
            expect("listening");
            send(first, &child);
            expect(&format!("asked for {asked}"));
            assert!(child.try_wait().unwrap().is_none(), "it ended too early");
            send(second, &child);
            expect("before the exit");
            assert_eq!(child.wait().unwrap().code(), Some(code));
        }
    }

    #[test]
    fn when_nobody_listens_any_longer_one_signal_ends_the_process() {
        if inside() {
            let exits = || say("before the exit");
            drop(Interrupt::listen(|| {}, exits).unwrap());
            say("dropped");
            return thread::sleep(Duration::from_secs(60));
        }
        let (mut child, mut expect) =
            start("when_nobody_listens_any_longer_one_signal_ends_the_process");
        expect("dropped");
        send("INT", &child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }

    #[test]
    fn a_listener_that_is_gone_ends_nothing() {
        if inside() {
            drop(Interrupt::listen(|| {}, || {}).unwrap());
            return listen_for_long();
        }
        let (mut child, mut expect) = start("a_listener_that_is_gone_ends_nothing");
        expect("listening");
        send("INT", &child);
        expect("asked for 130");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn all_who_listen_are_told() {
        if inside() {
            let first = Interrupt::listen(|| {}, || say("before the exit")).unwrap();
            let second = Interrupt::listen(|| {}, || {}).unwrap();
            say("listening");
            while first.exit_code().and(second.exit_code()).is_none() {
                thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(first.exit_code(), second.exit_code());
            say("both asked");
            return thread::sleep(Duration::from_secs(60));
        }
        let (mut child, mut expect) = start("all_who_listen_are_told");
        expect("listening");
        send("TERM", &child);
        expect("both asked");
        send("TERM", &child);
        expect("before the exit");
        assert_eq!(child.wait().unwrap().code(), Some(143));
    }

    #[test]
    fn what_never_returns_does_not_keep_the_process() {
        if inside() {
            let forever = || thread::sleep(Duration::from_secs(60));
            let on_first = move || {
                say("heard");
                forever();
            };
            let _interrupt = Interrupt::listen(on_first, forever).unwrap();
            say("listening");
            return forever();
        }
        let (mut child, mut expect) = start("what_never_returns_does_not_keep_the_process");
        expect("listening");
        send("INT", &child);
        // Signals of one kind that come at once are one.
        expect("heard");
        send("INT", &child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_started_to_outlive_its_terminal_does() {
        if inside() {
            return listen_for_long();
        }
        let test = "what_was_started_to_outlive_its_terminal_does";
        let (mut child, mut expect) =
            start_by(&["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"], test);
        expect("listening");
        send("HUP", &child);
        thread::sleep(Duration::from_millis(200));
        send("TERM", &child);
        expect("asked for 143");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
