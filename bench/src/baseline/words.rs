//! What servers say, into a file of each.
//!
//! The timestamp authority and Rekor v1 sync their output after every request. On a pipe, which is what servers have in
//! operation, that fails at once and costs nothing; on a regular file it is an fsync(2), and would be measured as theirs. So
//! every server, ours too, writes to a pipe.

use std::fs::File;
use std::io::{ErrorKind, PipeReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::fcntl::{FcntlArg, fcntl};

/// Bytes that a pipe holds, the most that Linux gives everybody: more than a busy server says in a [`PAUSE`].
const CAPACITY: i32 = 1 << 20;
/// Between two looks at a pipe, so that its reader takes next to nothing of the CPU that is measured.
const PAUSE: Duration = Duration::from_millis(20);

/// How words get to their file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// By a pipe that a thread of the harness empties.
    Piped,
    /// At once: of servers that outlive the harness. Nobody would be left to read their pipes, and their next word would end
    /// them; nothing is measured on them.
    Direct,
}

/// A pipe's end, and the file that it is emptied into.
pub(super) struct Drain {
    reader: PipeReader,
    file: File,
}

impl Words {
    /// Sets a command's output; what there is to empty.
    pub(super) fn take(self, command: &mut Command, log: &Path) -> anyhow::Result<Option<Drain>> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        if self == Self::Direct {
            command.stdout(file.try_clone()?).stderr(file);
            return Ok(None);
        }
        let (reader, writer) = std::io::pipe()?;
        // Where it may not grow, a server that says much waits for its reader.
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(CAPACITY)).ok();
        command.stdout(writer.try_clone()?).stderr(writer);
        Ok(Some(Drain { reader, file }))
    }

    /// Leaves the pipe to the process that was started: a command keeps its ends as long as it is there.
    pub(super) fn release(command: &mut Command) {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
}

impl Drain {
    /// Until nobody writes any more.
    pub(super) fn run(mut self) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.reader.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    // On a disk that is full words are lost, and no server waits for that.
                    self.file.write_all(&buffer[..count]).ok();
                    if count < buffer.len() {
                        std::thread::sleep(PAUSE);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

/// The last lines of a file.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use crate::baseline::Process;

    /// What a process started so says of its standard error.
    fn kind_of_stderr(words: Words) -> String {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "readlink /proc/self/fd/2 >&2; sleep 0.1"]);
        let process = Process::start("says", &mut command, &log, words).unwrap();
        process.wait_until(&log, || false).unwrap_err().to_string()
    }

    #[test]
    fn a_server_writes_to_a_pipe_and_its_words_are_in_the_file() {
        let said = kind_of_stderr(Words::Piped);
        assert!(said.contains("pipe:["), "{said}");
        let said = kind_of_stderr(Words::Direct);
        assert!(said.contains("/log"), "{said}");
    }

    #[test]
    fn much_is_said_without_an_end_in_between_and_nobody_is_held_up() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        // Four times what a pipe holds.
        let mut command = Command::new("sh");
        command.args(["-c", "head -c 4194304 /dev/zero | tr '\\0' 'a'; echo; echo end"]);
        let process = Process::start("says much", &mut command, &log, Words::Piped).unwrap();
        assert!(process.wait_until(&log, || false).unwrap_err().to_string().ends_with("\nend"));
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 4_194_304 + 5);
    }
}
