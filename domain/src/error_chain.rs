//! Errors as people read them.

use std::error::Error;

/// An error and its causes on one line. Many libraries paste a cause into their own words: what has
/// been said is not said again.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).fold(String::new(), |said, cause| match () {
        () if said.is_empty() => cause,
        () if said.contains(&cause) => said,
        () => format!("{said}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Outer(&'static str, std::io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn causes_are_told_once() {
        let refused = || std::io::Error::other("refused");
        assert_eq!(error_chain(&Outer("cannot connect", refused())), "cannot connect: refused");
        assert_eq!(error_chain(&Outer("cannot connect: refused", refused())), "cannot connect: refused");
        assert_eq!(error_chain(&refused()), "refused");
    }
}
