//! Made-up names. No person and no firm is meant.

use crate::draw::Draw;

const GIVEN: [&str; 40] = [
    "Alice", "Amir", "Anna", "Ben", "Carla", "Chloe", "Daniel", "Elena", "Emma", "Farah", "Felix", "Grace",
    "Hana", "Hugo", "Ida", "Isaac", "Jack", "Jana", "Karim", "Laura", "Leo", "Lina", "Lucas", "Marta", "Mia",
    "Nadia", "Noah", "Olga", "Oscar", "Paul", "Petra", "Ravi", "Rosa", "Sam", "Sofia", "Theo", "Tom", "Vera",
    "Yusuf", "Zoe",
];

const FAMILY: [&str; 40] = [
    "Abbott",
    "Adler",
    "Barnes",
    "Becker",
    "Bianchi",
    "Carter",
    "Costa",
    "Dahl",
    "Dubois",
    "Ellis",
    "Fischer",
    "Foster",
    "Garcia",
    "Grant",
    "Hale",
    "Hansen",
    "Hughes",
    "Ivanov",
    "Jensen",
    "Keller",
    "Khan",
    "Lambert",
    "Lindqvist",
    "Marsh",
    "Meyer",
    "Moretti",
    "Novak",
    "Okafor",
    "Osman",
    "Patel",
    "Quinn",
    "Reid",
    "Rossi",
    "Schmidt",
    "Silva",
    "Turner",
    "Vermeer",
    "Walsh",
    "Wright",
    "Young",
];

const FIRST: [&str; 32] = [
    "Amber",
    "Birch",
    "Bramble",
    "Cedar",
    "Clover",
    "Copper",
    "Coral",
    "Cotton",
    "Dandelion",
    "Fern",
    "Finch",
    "Harbour",
    "Hazel",
    "Heather",
    "Heron",
    "Ivy",
    "Juniper",
    "Lantern",
    "Lark",
    "Linden",
    "Magpie",
    "Maple",
    "Marigold",
    "Meadow",
    "Oak",
    "Pebble",
    "Poppy",
    "Rowan",
    "Saffron",
    "Thistle",
    "Willow",
    "Wren",
];

const SECOND: [&str; 24] = [
    "Arcade", "Bay", "Bridge", "Corner", "Court", "Cross", "Farm", "Gate", "Green", "Hill", "House", "Lane",
    "Market", "Mill", "Park", "Point", "Quay", "Row", "Square", "Street", "Tower", "Vale", "Wharf", "Yard",
];

/// A person's name.
pub fn person(draw: &mut Draw) -> String {
    format!("{} {}", draw.pick(&GIVEN), draw.pick(&FAMILY))
}

/// A firm's name; `segment` is a position in [`super::place::SEGMENTS`].
pub fn firm(draw: &mut Draw, segment: usize) -> String {
    const KINDS: [&[&str]; 5] = [
        &["Gifts", "Cards & Gifts", "Emporium", "Interiors"],
        &["Online", "Direct", "Web Store", "Home Online"],
        &["Department Store", "Stores", "& Sons"],
        &["Trading", "Wholesale", "Imports", "Distribution"],
        &["Hotel", "Tea Rooms", "Café", "Garden Centre"],
    ];
    let kind = KINDS.get(segment).copied().unwrap_or(KINDS[0]);
    format!("{} {} {}", draw.pick(&FIRST), draw.pick(&SECOND), draw.pick(kind))
}
