//! What commands print: the only place that writes to standard output and standard error.
//!
//! Whoever reads may stop early, as `head` does. Then nothing is left to say, and that is no failure:
//! the standard library's `println!` would panic.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    process,
};

/// Prints a line to standard output, as everywhere, but ends quietly if nobody reads it.
macro_rules! println {
    ($($part:tt)*) => { $crate::output::line(format_args!($($part)*)) };
}

/// Prints a line to standard error, as everywhere, if anybody reads it.
macro_rules! eprintln {
    ($($part:tt)*) => { $crate::output::aside(format_args!($($part)*)) };
}

pub(crate) fn line(text: fmt::Arguments<'_>) {
    let text = format!("{text}\n");
    io::stdout().write_all(text.as_bytes()).unwrap_or_else(|error| end(&error));
}

pub(crate) fn aside(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Ends the process, since what it says reaches nobody.
pub(crate) fn end(error: &io::Error) -> ! {
    if error.kind() == ErrorKind::BrokenPipe {
        process::exit(0);
    }
    eprintln!("error: cannot write to standard output: {error}");
    process::exit(1)
}
