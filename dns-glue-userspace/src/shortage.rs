//! What the system has too little of: told apart from what it refuses, because
//! the remedy is another.

use std::error::Error;
use std::{fmt, io, iter};

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Descriptors of this process.
    Descriptors,
    /// Open files of the system.
    OpenFiles,
    /// Memory, of the machine or of the control group.
    Memory,
}

impl Shortage {
    /// Of what, if that is why a system call failed.
    pub fn of(cause: &io::Error) -> Option<Self> {
        match cause.raw_os_error()? {
            libc::EMFILE => Some(Self::Descriptors),
            libc::ENFILE => Some(Self::OpenFiles),
            libc::ENOMEM => Some(Self::Memory),
            _ => None,
        }
    }

    /// The system call among the causes of an error that failed for want of
    /// something, and of what.
    pub fn behind<'e>(error: &'e (dyn Error + 'static)) -> Option<(Self, &'e io::Error)> {
        let causes = iter::successors(Some(error), |one| Error::source(*one));
        let mut calls = causes.filter_map(|one| one.downcast_ref::<io::Error>());
        calls.find_map(|cause| Some((Self::of(cause)?, cause)))
    }
}

impl fmt::Display for Shortage {
    /// What is missing, and what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Descriptors => {
                "this process may have no more descriptors: a higher LimitNOFILE= in its unit, or \
                 `ulimit -n` before it starts, allows more"
            }
            Self::OpenFiles => {
                "the system may have no more open files: a higher fs.file-max (sysctl) allows more"
            }
            Self::Memory => {
                "not enough memory, or a limit of the control group: MemoryMax= of its unit"
            }
        })
    }
}

/// What to do about a failed system call, in parentheses, if something was
/// missing; otherwise nothing.
pub fn hint(cause: &io::Error) -> String {
    Shortage::of(cause).map_or(String::new(), |shortage| format!(" ({shortage})"))
}

/// An error with all its causes, and with what to do if something was missing.
pub fn in_full(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |one| Error::source(*one));
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    let remedy = Shortage::behind(error).map(|(shortage, _)| format!(" ({shortage})"));
    causes.join(": ") + &remedy.unwrap_or_default()
}

/// The words of an error with what to do if something was missing, unless they
/// tell that already.
pub fn with_remedy(words: String, error: &(dyn Error + 'static)) -> String {
    let remedy = Shortage::behind(error).map(|(shortage, _)| shortage.to_string());
    match remedy.filter(|remedy| !words.contains(remedy)) {
        Some(remedy) => format!("{words} ({remedy})"),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(errno: i32) -> io::Error {
        io::Error::from_raw_os_error(errno)
    }

    #[test]
    fn what_is_missing_is_told_with_what_helps() {
        for (errno, remedy) in [
            (libc::EMFILE, "LimitNOFILE="),
            (libc::ENFILE, "fs.file-max"),
            (libc::ENOMEM, "MemoryMax="),
        ] {
            let hint = hint(&failed(errno));
            assert!(hint.contains(remedy), "{hint}");
        }
        for errno in [libc::EACCES, libc::EINVAL, libc::EPERM, libc::E2BIG] {
            assert_eq!(hint(&failed(errno)), "");
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the call failed")]
    struct Call(#[source] io::Error);

    #[test]
    fn it_is_found_behind_the_words_of_others() {
        let call = Call(failed(libc::EMFILE));
        let found = Shortage::behind(&call).map(|(shortage, _)| shortage);
        assert_eq!(found, Some(Shortage::Descriptors));
        let text = in_full(&call);
        assert!(text.starts_with("the call failed: Too many"), "{text}");
        assert!(text.contains("LimitNOFILE="), "{text}");

        assert_eq!(with_remedy(text.clone(), &call), text, "not twice");
        assert_eq!(
            with_remedy(call.to_string() + ": Too", &call)
                .matches('(')
                .count(),
            1
        );

        let call = Call(failed(libc::EPERM));
        assert!(Shortage::behind(&call).is_none());
        assert!(!in_full(&call).contains('='), "{}", in_full(&call));
    }
}
