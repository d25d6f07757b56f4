//! The kinds of problems: numbers that stay, and their titles.

use std::fmt;

/// Defines [`Code`], [`Code::ALL`] and [`Code::title`] from one list.
macro_rules! codes {
    ($($number:literal $name:ident $title:literal)*) => {
        /// What kind of problem it is. The number is stable and printed as `IK001`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Code {
            $(#[doc = $title] $name = $number,)*
        }

        impl Code {
            /// Every code, by number.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The kind of problem in a few words. docs/messages.md has the same.
            #[must_use]
            pub(crate) fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }
        }
    };
}

codes! {
    1 UnknownCommand "Unknown command."
    2 UnknownSaType "Unknown SA type."
    3 UnknownKeyword "Unknown keyword."
    4 UnexpectedEnd "Missing value at the end of a command."
    5 NotANumber "Expected a number."
    6 OutOfRange "Number or value out of range."
    7 NotHex "The key is not hexadecimal."
    8 InvalidBitLength "Invalid bit length of a key."
    9 BitLengthTooBig "The bit length exceeds the digits of the key, or the key is too long."
    10 DuplicateKeyword "Duplicate keyword."
    11 NotAllowedForCommand "Keyword not allowed for this command."
    12 UnknownAlgorithm "Unknown algorithm."
    13 UnknownState "Unknown state, mode or flag."
    14 UnknownIdentityType "Unknown identity type."
    15 UnknownAddress "Invalid address or unknown host name."
    16 NoMatchingAddress "No source address matches the destination."
    17 MissingArgument "Missing keyword or value."
    18 Conflict "Conflicting keywords or values."
    19 NotAllowedHere "Command not allowed here."
    20 TooManyArguments "Too many arguments."
    21 BadQuotes "Unbalanced or misplaced quotes."
    22 UnsupportedBySadb "Keyword not supported by this SADB."
    23 NothingToAdd "The file adds no SA."
    30 Refused "Command refused by the SADB."
    40 CommentContinues "A comment continues on the next line."
    41 TrailingBackslash "Backslash at the end of the file."
    42 KeyLengthChanged "Key truncated or padded."
    43 AmbiguousName "Host name with several addresses."
    44 ReplayWithManualKey "Anti-replay window with a manual key."
    45 CounterMode "Counter-mode cipher with a manual key."
    46 Ignored "Keyword or value ignored."
    47 MixedFamilies "Different address families."
    48 ZeroKey "All-zero key."
    49 WeakKey "Weak or semi-weak DES key, or Triple DES key with equal parts."
    50 KeyLength "Wrong key length for the algorithm."
    51 HostName "Host name, which may not resolve at boot."
    52 ReservedSpi "Reserved SPI."
    53 DuplicateSa "Duplicate SA."
    54 Unprotected "Algorithm without a key, or encryption without authentication."
    55 ManySasPerTuple "Thousands of SAs with the same addresses and reqid."
    56 BothTables "SA that illumos may keep in both of its tables."
    57 IllumosRefuses "Command that illumos refuses."
    58 IllumosChanges "Value that illumos changes."
    59 OutboundGroup "SA of a group that is outbound only."
    60 SeveralGroupKeys "Several keys for one multicast group."
    61 RawSockets "IPv4 protocol that Linux does not see."
    62 ChainGap "Key chain with a gap."
    63 ChainOverlap "Windows of a key chain that are too close for clocks that differ."
    64 ChainKey "Key used twice in key chains."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IK{:03}", *self as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented_with_its_title() {
        let document = include_str!("../../../docs/messages.md");
        assert!(Code::ALL.is_sorted_by_key(|code| *code as u16));
        for code in Code::ALL {
            let row = document.lines().find(|line| line.starts_with(&format!("| {code} |")));
            let row = row.unwrap_or_else(|| panic!("{code:?} is not documented"));
            assert!(row.ends_with(&format!("| {} |", code.title())), "{row}");
        }
        assert_eq!(document.matches("\n| IK").count(), Code::ALL.len());
    }
}
