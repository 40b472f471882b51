//! Where customers are, and what kind of business they run.

/// A sales region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// The United Kingdom and the Channel Islands.
    Uk,
    /// The rest of Europe.
    Europe,
    /// Everywhere else.
    World,
}

/// The regions, in the order of their bits in [`super::catalogue::Product`].
pub const REGIONS: [Region; 3] = [Region::Uk, Region::Europe, Region::World];

const EUROPE: [&str; 24] = [
    "EIRE",
    "Germany",
    "France",
    "Netherlands",
    "Spain",
    "Switzerland",
    "Belgium",
    "Portugal",
    "Italy",
    "Sweden",
    "Norway",
    "Cyprus",
    "Finland",
    "Austria",
    "Denmark",
    "Greece",
    "Poland",
    "Malta",
    "Iceland",
    "Lithuania",
    "Czech Republic",
    "European Community",
    "Unspecified",
    "Hungary",
];

impl Region {
    /// The region of a country as the orders write it.
    pub fn of(country: &str) -> Self {
        match country {
            "United Kingdom" | "Channel Islands" => Self::Uk,
            other if EUROPE.contains(&other) => Self::Europe,
            _ => Self::World,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uk => "UK",
            Self::Europe => "Europe",
            Self::World => "World",
        }
    }

    /// Its bit.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Kinds of business, in the order of their bits in [`super::catalogue::Product`].
pub const SEGMENTS: [&str; 5] =
    ["Gift shop", "Online seller", "Department store", "Wholesaler", "Hospitality"];

/// How likely each kind is, by the largest line of a customer's first order: who begins with a gross is
/// rarely a small shop.
pub fn segment_weights(largest_line: i64) -> [f64; 5] {
    match largest_line {
        ..=12 => [0.52, 0.28, 0.02, 0.04, 0.14],
        13..=47 => [0.40, 0.26, 0.08, 0.14, 0.12],
        _ => [0.14, 0.16, 0.22, 0.42, 0.06],
    }
}
