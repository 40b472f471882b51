//! Products, their prices, and who may buy them.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::place::{REGIONS, Region, SEGMENTS, segment_weights};
use crate::draw::Draw;
use crate::moment::Moment;
use crate::orders::{Line, Orders, PurchaseHistory, is_cancellation, is_product};
use crate::table::{Cell, Dirt, Table};

/// Categories with words that tell them; the first that fits a description holds.
const CATEGORIES: [(&str, &[&str]); 12] = [
    ("Christmas", &["CHRISTMAS", "XMAS", "SANTA", "REINDEER", "ADVENT", "BAUBLE", "SNOW"]),
    ("Lighting & candles", &["LIGHT", "LANTERN", "CANDLE", "LAMP", "INCENSE", "SCENTED"]),
    ("Bags", &["BAG", "PURSE", "LUGGAGE", "SHOPPER", "SATCHEL"]),
    (
        "Stationery & cards",
        &["CARD", "WRAP", "PAPER", "PENCIL", "PEN ", "NOTEBOOK", "STICKER", "RIBBON", "TISSUE"],
    ),
    (
        "Kitchen & dining",
        &[
            "MUG", "CUP", "PLATE", "BOWL", "CAKE", "TEA", "KITCHEN", "JAR", "BAKING", "CUTLERY", "SPOON",
            "LUNCH", "JUG", "DISH", "APRON", "NAPKIN",
        ],
    ),
    ("Garden", &["GARDEN", "PLANT", "FLOWER POT", "WATERING", "BIRD", "HERB", "PARASOL", "PICNIC"]),
    ("Toys & games", &["TOY", "GAME", "DOLL", "PLAY", "CHILD", "SPACEBOY", "PUZZLE", "SOLDIER", "CIRCUS"]),
    ("Jewellery", &["NECKLACE", "BRACELET", "EARRING", "RING", "BROOCH", "HAIR", "BEAD"]),
    ("Storage", &["BOX", "TIN", "BASKET", "DRAWER", "CABINET", "RACK", "HOOK", "HANGER", "STORAGE"]),
    ("Textiles", &["CUSHION", "QUILT", "BLANKET", "TOWEL", "FELT", "DOORMAT", "CURTAIN", "RUG"]),
    ("Clocks, frames & signs", &["CLOCK", "FRAME", "SIGN", "MIRROR", "CHALKBOARD", "BOARD"]),
    ("Decoration", &[""]),
];

/// Price lists: name, share of the list price.
pub const PRICE_LISTS: [(&str, f64); 4] =
    [("UK trade", 0.92), ("UK retail", 1.0), ("Europe", 1.04), ("Export", 1.10)];

/// Something on a shelf.
#[derive(Debug, Clone)]
pub struct Product {
    /// Stock code in upper case.
    pub code: String,
    /// The description most lines carry.
    pub description: String,
    /// Its category.
    pub category: &'static str,
    /// Median price paid, in pounds.
    pub price: f64,
    /// First and last sale.
    pub sold: (Moment, Moment),
    /// Regions it is sold in, as bits.
    pub regions: u8,
    /// Segments it is sold to, as bits.
    pub segments: u8,
    /// Units sold by day, in the order of time.
    pub sales: Vec<(Moment, i64)>,
}

/// All products, by stock code.
#[derive(Debug)]
pub struct Catalogue {
    /// The products.
    pub products: Vec<Product>,
}

#[derive(Default)]
struct Seen {
    descriptions: BTreeMap<u32, usize>,
    prices: Vec<f64>,
    sales: Vec<(Moment, i64)>,
    regions: u8,
    segments: u8,
}

/// A customer's segment, a position in [`SEGMENTS`]. A copy has the segment of the customer it was copied
/// from.
pub fn segment(seed: u64, history: &PurchaseHistory) -> usize {
    let largest = history.first_order().map_or(0, |invoice| invoice.largest_line);
    Draw::new(seed, "segment", u64::from(history.customer % 100_000)).weighted(&segment_weights(largest))
}

impl Catalogue {
    /// Everything ever sold for a price, with who bought it.
    pub fn collect(orders: &Orders, histories: &[PurchaseHistory], seed: u64) -> Self {
        let segments: FxHashMap<u32, usize> =
            histories.iter().map(|history| (history.customer, segment(seed, history))).collect();
        let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
        for line in orders.lines.iter().filter(|line| counts(orders, line)) {
            let code = orders.code(line).to_uppercase();
            seen.entry(code).or_default().add(line, orders, segments.get(&line.customer).copied());
        }
        let products = seen.into_iter().map(|(code, seen)| seen.product(code, orders, seed));
        Self { products: products.collect() }
    }

    /// The catalogue: a row when a product is listed, and one when it is given up, 90 days after its last
    /// sale.
    pub fn export(&self, seed: u64, now: Moment) -> Table {
        let header = &[
            "product_id",
            "changed_at",
            "description",
            "category",
            "supplier",
            "unit_cost",
            "pack_size",
            "status",
        ];
        let mut table = Table::new("products", header, Dirt::default());
        for (number, product) in self.products.iter().enumerate() {
            let mut draw = Draw::new(seed, "product", number as u64);
            let supplier = format!("Supplier {:02}", draw.whole(1, 40));
            let cost = product.price * (0.35 + 0.3 * draw.unit());
            let pack = *draw.pick(&[1_i64, 1, 1, 6, 6, 12, 24]);
            let listed = product.sold.0.start_of_day();
            let given_up = product.sold.1.plus_days(90.0);
            for (at, status) in [(listed, "listed"), (given_up, "given up")] {
                let row = [
                    Cell::Text(&product.code),
                    Cell::When(at),
                    Cell::Text(product.description.trim()),
                    Cell::Text(product.category),
                    if number % 23 == 7 { Cell::Nothing } else { Cell::Text(&supplier) },
                    Cell::Money(cost),
                    Cell::Int(pack),
                    Cell::Text(status),
                ];
                if at < now {
                    table.push(at, &row);
                }
            }
        }
        table
    }

    /// The price lists: a price when a product is listed, and a rise every 300 days.
    pub fn export_prices(&self, seed: u64, now: Moment) -> Table {
        let header = &["price_list", "product_id", "valid_from", "price"];
        let mut table = Table::new("price_lists", header, Dirt { repeated: 0.001, malformed: 2 });
        for (number, product) in self.products.iter().enumerate() {
            let mut draw = Draw::new(seed, "price", number as u64);
            let (mut at, mut level) = (product.sold.0.start_of_day(), 0.97);
            while at < now && at <= product.sold.1.plus_days(90.0) {
                for (list, share) in PRICE_LISTS {
                    let price = Cell::Money((product.price * share * level).max(0.01));
                    table.push(at, &[Cell::Text(list), Cell::Text(&product.code), Cell::When(at), price]);
                }
                at = at.plus_days(300.0);
                level *= 1.0 + 0.05 * draw.unit();
            }
        }
        table
    }

    /// Who may buy what: regions and segments, `|` between them, from a product's first day.
    pub fn export_entitlements(&self) -> Table {
        let header = &["product_id", "valid_from", "regions", "segments"];
        let mut table = Table::new("entitlements", header, Dirt::default());
        for product in &self.products {
            let at = product.sold.0.start_of_day();
            let regions: Vec<&str> =
                REGIONS.iter().filter(|r| product.regions & r.bit() != 0).map(|r| r.name()).collect();
            let segments = SEGMENTS.iter().enumerate().filter(|(bit, _)| product.segments & (1 << bit) != 0);
            let segments: Vec<&str> = segments.map(|(_, name)| *name).collect();
            let (regions, segments) = (regions.join("|"), segments.join("|"));
            table.push(
                at,
                &[Cell::Text(&product.code), Cell::When(at), Cell::Text(&regions), Cell::Text(&segments)],
            );
        }
        table
    }
}

fn counts(orders: &Orders, line: &Line) -> bool {
    line.price > 0.0
        && line.quantity > 0
        && is_product(orders.code(line))
        && !is_cancellation(orders.invoice(line))
}

impl Seen {
    fn add(&mut self, line: &Line, orders: &Orders, segment: Option<usize>) {
        *self.descriptions.entry(line.description).or_default() += 1;
        self.prices.push(line.price);
        self.regions |= Region::of(Orders::text(&orders.countries, line.country)).bit();
        self.segments |= segment.map_or(0, |segment| 1 << segment);
        let day = line.at.start_of_day();
        match self.sales.last_mut() {
            Some((last, units)) if *last == day => *units += line.quantity,
            _ => self.sales.push((day, line.quantity)),
        }
    }

    fn product(mut self, code: String, orders: &Orders, seed: u64) -> Product {
        let common =
            self.descriptions.iter().max_by_key(|(position, count)| (**count, u32::MAX - **position));
        let description = common.map_or("", |(position, _)| Orders::text(&orders.descriptions, *position));
        self.prices.sort_by(f64::total_cmp);
        let price = self.prices[self.prices.len() / 2];
        self.sales.sort_by_key(|(day, _)| *day);
        let fits = |(_, words): &&(&str, &[&str])| words.iter().any(|word| description.contains(word));
        let category = CATEGORIES.iter().find(fits).map_or("Decoration", |(name, _)| name);
        // Only doors nobody ever went through may be shut: the real orders must stay allowed.
        let mut draw = Draw::new(seed, "entitlement", crate::draw::mix(0, &code, 0));
        let mut open = |bits: u8, known: u8, shut: f64| {
            (0..bits)
                .filter(|bit| known & (1 << bit) != 0 || !draw.chance(shut))
                .fold(0, |all, bit| all | 1 << bit)
        };
        let (regions, segments) = (open(3, self.regions, 0.5), open(5, self.segments, 0.35));
        let sold = (self.sales[0].0, self.sales[self.sales.len() - 1].0);
        Product {
            code,
            description: description.to_owned(),
            category,
            price,
            sold,
            regions,
            segments,
            sales: self.sales,
        }
    }
}
