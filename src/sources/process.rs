//! Programs of others that sign in: each ends with us, with everything that it started, and none may fill this
//! machine's memory.

use std::io;
use std::process::{Output, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

/// Most bytes of standard output that are read: a token or a certificate is a few thousand.
const OUTPUT: usize = 1 << 20;
/// Most bytes of standard error that are kept; the rest is read and dropped.
const COMPLAINT: usize = 1 << 14;

/// Runs a program without a terminal to wait at. It is killed, with everything that it started, when this future is
/// dropped, and when it prints more than a sign-in can.
///
/// # Errors
/// Where it cannot be started, or prints without an end.
pub async fn run(command: Command) -> io::Result<Output> {
    let mut complaint = Vec::new();
    run_with(command, &mut complaint).await
}

/// The same; what it wrote to standard error is in `complaint` also where it does not end.
///
/// # Errors
/// As [`run`].
pub async fn run_with(mut command: Command, complaint: &mut Vec<u8>) -> io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let group = ProcessGroup(child.id());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, ()) = tokio::try_join!(whole(stdout), beginning(stderr, complaint))?;
    let status = child.wait().await?;
    group.ended();
    Ok(Output { status, stdout, stderr: complaint.clone() })
}

/// Everything up to the limit; more is an error.
async fn whole(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(OUTPUT as u64 + 1).read_to_end(&mut read).await?;
    }
    if read.len() > OUTPUT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it printed more than {} MiB", OUTPUT >> 20)));
    }
    Ok(read)
}

/// Keeps what comes first, and reads the rest so that the program does not wait for a reader.
async fn beginning(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut chunk = [0; 4096];
    loop {
        let read = pipe.read(&mut chunk).await?;
        if read == 0 {
            return Ok(());
        }
        let room = COMPLAINT.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(&chunk[..room]);
    }
}

/// Kills a process group unless it has ended.
struct ProcessGroup(Option<u32>);

impl ProcessGroup {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let Some(id) = self.0.take() else { return };
        #[cfg(unix)]
        if let Some(group) = rustix::process::Pid::from_raw(id.cast_signed()) {
            // One that is gone already is no loss.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        // Elsewhere the program alone is killed, when its handle is dropped.
        #[cfg(not(unix))]
        let _ = id;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn what_a_program_prints_is_bounded() {
        let output = run(shell("echo out; echo err >&2; exit 3")).await.expect("it runs");
        assert_eq!((output.status.code(), output.stdout, output.stderr), (Some(3), b"out\n".into(), b"err\n".into()));
        let flood = run(shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done")).await;
        assert_eq!(flood.map_err(|error| error.kind()), Err(io::ErrorKind::FileTooLarge));
        let chatty = "i=0; while [ $i -lt 4000 ]; do echo complaint >&2; i=$((i+1)); done; echo token";
        let output = run(shell(chatty)).await.expect("it runs");
        assert_eq!((output.stdout, output.stderr.len()), (b"token\n".into(), COMPLAINT));
    }

    #[tokio::test]
    async fn what_hangs_ends_with_its_children_and_its_complaint_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let (pid, open) = (folder.path().join("pid"), folder.path().join("open"));
        let script = format!(
            "sh -c 'echo $$ > {0}; mv {0} {1}; sleep 600' & echo code 1234 >&2; wait",
            pid.display(),
            open.display()
        );
        let mut complaint = Vec::new();
        {
            let hanging = run_with(shell(&script), &mut complaint);
            tokio::pin!(hanging);
            while !open.exists() {
                let pause = tokio::time::sleep(std::time::Duration::from_millis(5));
                tokio::select! { _ = &mut hanging => panic!("it ended"), () = pause => {} }
            }
            // Its complaint came before; one more turn reads it.
            let pause = tokio::time::sleep(std::time::Duration::from_millis(50));
            tokio::select! { _ = &mut hanging => panic!("it ended"), () = pause => {} }
        }
        assert_eq!(complaint, b"code 1234\n");
        let child = std::fs::read_to_string(&open).expect("a process id");
        let status = format!("/proc/{}/status", child.trim());
        let alive = || std::fs::read_to_string(&status).is_ok_and(|status| !status.contains("State:\tZ"));
        while cfg!(target_os = "linux") && alive() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
