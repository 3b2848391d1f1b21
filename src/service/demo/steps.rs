//! Steps with their times.

use std::time::Instant;

use serde_json::{Value, json};

use crate::cli::output::Progress;
use crate::failure::Failure;

/// What was done so far, and how long each step took.
pub(super) struct Steps {
    progress: Progress,
    done: Vec<(&'static str, f64)>,
}

impl Steps {
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress, done: Vec::new() }
    }

    /// Runs a step and says how long it took.
    pub(super) fn run<T>(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let begun = Instant::now();
        let outcome = step()?;
        let seconds = begun.elapsed().as_secs_f64();
        self.progress.say(&format!("{name:<14}{seconds:>8.3} s"));
        self.done.push((name, seconds));
        Ok(outcome)
    }

    pub(super) fn json(&self) -> Vec<Value> {
        let milliseconds = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
        self.done
            .iter()
            .map(|(name, seconds)| json!({"name": name, "seconds": milliseconds(*seconds)}))
            .collect()
    }
}
