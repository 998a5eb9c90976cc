//! What the name server does with the names of traps.

/// What a name server does with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// Says nothing.
    Silent,
    /// There is no such name.
    Absent,
    /// Cannot say.
    Fails,
    /// Says something that means nothing.
    Garbage,
    /// The name has no address.
    Empty,
    /// The name stands for itself.
    Circle,
    /// An allowed and a forbidden address.
    Mixed,
    /// An allowed address, then a forbidden one, in turn.
    Rebinds,
    /// Seventeen addresses.
    Seventeen,
    /// Both families of loopback.
    Localhost,
    /// Over UDP only that there is more over TCP.
    Truncated,
}
