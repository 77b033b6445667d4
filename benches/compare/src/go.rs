//! Go's archive/zip, in a process that stays, so that its start is not counted.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Failure;
use crate::harness::Spent;

pub struct Go {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub version: String,
}

impl Go {
    /// Builds the program and starts it.
    pub fn start(go: &Path) -> Result<Self, Failure> {
        let program = build(go)?;
        let mut process =
            Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let commands = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().ok_or("no output of the Go program")?);
        let mut started = Self { process, commands, answers, version: String::new() };
        started.version = started.ask(&["version"])?.concat();
        Ok(started)
    }

    /// Opens the archive and reads the entry, `times` times; the answer is the content's SHA-256.
    pub fn open(&mut self, path: &str, name: &str, times: u64) -> Result<(Spent, String), Failure> {
        self.timed(&["open", path, name, &times.to_string()])
    }

    /// Reads the entry of an open archive, `times` times.
    pub fn extract(
        &mut self,
        path: &str,
        name: &str,
        times: u64,
    ) -> Result<(Spent, String), Failure> {
        self.timed(&["extract", path, name, &times.to_string()])
    }

    /// Goes through the entries of an open archive, `times` times; the answer is their sum.
    pub fn walk(&mut self, path: &str, times: u64) -> Result<(Spent, String), Failure> {
        self.timed(&["walk", path, &times.to_string()])
    }

    /// Bytes of heap that an open archive takes.
    pub fn heap(&mut self, path: &str) -> Result<u64, Failure> {
        Ok(self.ask(&["heap", path])?.concat().parse()?)
    }

    fn timed(&mut self, command: &[&str]) -> Result<(Spent, String), Failure> {
        match &*self.ask(command)? {
            [wall, cpu, answer] => {
                let wall = Duration::from_nanos(wall.parse()?);
                let cpu = Duration::from_nanos(cpu.parse()?);
                Ok((Spent { wall, cpu }, answer.clone()))
            }
            other => Err(format!("the Go program answers {other:?}").into()),
        }
    }

    fn ask(&mut self, command: &[&str]) -> Result<Vec<String>, Failure> {
        let commands = self.commands.as_mut().ok_or("the Go program was stopped")?;
        writeln!(commands, "{}", command.join("\t"))?;
        commands.flush()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        match answer.trim_end().split('\t').collect::<Vec<_>>().split_first() {
            Some((&"ok", rest)) => Ok(rest.iter().map(|&word| word.to_owned()).collect()),
            _ => Err(format!("the Go program answers {answer:?} to {command:?}").into()),
        }
    }
}

impl Drop for Go {
    /// The end of its input ends the process.
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.process.wait();
    }
}

fn build(go: &Path) -> Result<PathBuf, Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = here.join("../../target/benches");
    std::fs::create_dir_all(&folder)?;
    let program = folder.canonicalize()?.join("compare-go");
    let status = Command::new(go)
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(here.join("go"))
        // The compiler that is there, and nothing from outside.
        .envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("GOFLAGS", "-buildvcs=false")])
        .status()?;
    if status.success() { Ok(program) } else { Err("the Go program is not built".into()) }
}
