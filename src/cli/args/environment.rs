//! The variable of every long flag.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::builder::FalseyValueParser;
use clap::{Arg, CommandFactory, FromArgMatches, Id};

use super::Cli;

/// The whole command with an environment variable for every long flag.
pub fn command() -> clap::Command {
    with_environment(Cli::command(), &BTreeSet::new())
}

/// Parses this process's arguments.
///
/// # Errors
/// clap's own, which knows how to print itself; asking for help is one of them.
pub fn parse() -> Result<Cli, clap::Error> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = with_environment(Cli::command(), &long_flags(&arguments));
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// The long flags that a command line gives; nothing after `--` is one.
fn long_flags(arguments: &[OsString]) -> BTreeSet<String> {
    let texts = arguments.iter().filter_map(|argument| argument.to_str());
    let flags = texts.take_while(|text| *text != "--").filter_map(|text| text.strip_prefix("--"));
    flags.map(|flag| flag.split('=').next().unwrap_or(flag).to_owned()).collect()
}

/// Gives every long flag its variable, but where one of the flags `given` excludes it: what is typed goes before what
/// is set for all commands.
fn with_environment(command: clap::Command, given: &BTreeSet<String>) -> clap::Command {
    let overruled = overruled(&command, given);
    let command = command.mut_args(|argument| {
        // Help and version are questions, not settings.
        match argument.get_long() {
            Some(long) if !matches!(long, "help" | "version") && !overruled.contains(argument.get_id()) => {
                let variable = format!("SIGVEIL_{}", long.replace('-', "_").to_ascii_uppercase());
                let switch = matches!(argument.get_action(), clap::ArgAction::SetTrue);
                let argument = argument.env(variable).hide_env_values(true);
                // A switch is on for 1, yes or true, and off for 0, no, false or nothing.
                if switch { argument.value_parser(FalseyValueParser::new()) } else { argument }
            }
            _ => argument,
        }
    });
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |subcommand| with_environment(subcommand, given))
    })
}

/// The arguments of a command that cannot stand beside one of the flags given.
fn overruled(command: &clap::Command, given: &BTreeSet<String>) -> BTreeSet<Id> {
    let is_given = |argument: &Arg| argument.get_long().is_some_and(|long| given.contains(long));
    let mut overruled = BTreeSet::new();
    for argument in command.get_arguments() {
        for other in command.get_arg_conflicts_with(argument) {
            // A conflict is declared on one side and holds on both.
            for (flag, excluded) in [(argument, other), (other, argument)] {
                if is_given(flag) && !is_given(excluded) {
                    overruled.insert(excluded.get_id().clone());
                }
            }
        }
    }
    for group in command.get_groups().filter(|group| !(*group).clone().is_multiple()) {
        let members =
            command.get_arguments().filter(|argument| group.get_args().any(|id| id == argument.get_id()));
        let (flags, others): (Vec<&Arg>, Vec<&Arg>) = members.partition(|argument| is_given(argument));
        if !flags.is_empty() {
            overruled.extend(others.into_iter().map(|argument| argument.get_id().clone()));
        }
    }
    overruled
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn a_flag_overrules_the_variables_of_those_it_excludes_alone() {
        let variables = |line: &[&str], name: &str| -> Vec<bool> {
            let line: Vec<OsString> = line.iter().map(OsString::from).collect();
            let command = with_environment(Cli::command(), &long_flags(&line));
            let command = command.find_subcommand(name).unwrap();
            let flags = command.get_arguments().filter(|argument| {
                matches!(argument.get_long(), Some("trusted-root" | "trust-config" | "dir" | "url"))
            });
            flags.map(|argument| argument.get_env().is_some()).collect()
        };
        assert_eq!(variables(&["sigveil", "verify", "x"], "verify"), [true, true]);
        assert_eq!(variables(&["sigveil", "verify", "--trust-config", "x"], "verify"), [false, true]);
        assert_eq!(variables(&["sigveil", "verify", "--trusted-root=x"], "verify"), [true, false]);
        assert_eq!(variables(&["sigveil", "verify", "--", "--trusted-root"], "verify"), [true, true]);
        // By declaration in a group: dir, url, trusted-root.
        assert_eq!(variables(&["sigveil", "search", "--url", "x"], "search"), [false, true, true]);
    }

    #[test]
    fn every_long_flag_of_every_command_has_its_variable() {
        fn walk(command: &clap::Command, seen: &mut usize) {
            for argument in command.get_arguments() {
                let Some(long) = argument.get_long() else { continue };
                if matches!(long, "help" | "version") {
                    continue;
                }
                let expected = format!("SIGVEIL_{}", long.replace('-', "_").to_ascii_uppercase());
                assert_eq!(argument.get_env().unwrap().to_str().unwrap(), expected, "{}", command.get_name());
                *seen += 1;
            }
            command.get_subcommands().for_each(|sub| walk(sub, seen));
        }
        let mut seen = 0;
        walk(&command(), &mut seen);
        assert!(seen > 50);
    }
}
