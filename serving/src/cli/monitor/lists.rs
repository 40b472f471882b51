//! What became of lists of products, for people.

use super::{figure, interval};
use crate::cli::output::{Report, count, table};
use crate::monitor::{ListQuality, ListReport, ListVariant};

/// What every table of lists shows, after who or when.
const FIGURES: [&str; 8] =
    ["lists", "judged", "bought", "hit rate", "precision", "recall", "NDCG", "place of a hit"];

/// A row of figures, with the intervals or without.
fn figures(counted: usize, quality: &ListQuality, intervals: bool) -> Vec<String> {
    let told = [quality.hit_rate, quality.precision, quality.recall, quality.ndcg];
    let told = told.map(|found| match intervals {
        true => interval(found),
        false => figure(found.map(|found| found.value)),
    });
    let counts = [counted, quality.judged, quality.bought].map(|number| count(number as u64));
    let place = quality.position.map_or_else(|| "–".to_owned(), |place| format!("{place:.1}"));
    counts.into_iter().chain(told).chain([place]).collect()
}

fn shown(first: &str, rows: impl Iterator<Item = (String, Vec<String>)>) -> String {
    let header: Vec<&str> = std::iter::once(first).chain(FIGURES).collect();
    let right: Vec<usize> = (1..header.len()).collect();
    table(&header, &right, rows.map(|(name, figures)| std::iter::once(name).chain(figures).collect()))
}

fn named(variant: &ListVariant) -> String {
    let versions: Vec<String> = variant.versions.iter().map(ToString::to_string).collect();
    let products = count(variant.products as u64);
    format!("{} (version {}), {products} products", variant.variant, versions.join(", "))
}

impl Report for ListReport {
    fn human(&self) -> String {
        let number = |n: usize| count(n as u64);
        let mut text = format!(
            "{}: lists in the log: {}; {} count (the last of a customer on a day), {} of them pending (a purchase \
             counts within {})",
            self.model,
            number(self.lists),
            number(self.counted),
            number(self.pending),
            self.horizon
        );
        if self.unnamed > 0 {
            text.push_str(&format!("\n{} were for nobody by name", number(self.unnamed)));
        }
        if self.foreseen > 0 {
            let foreseen = number(self.foreseen);
            text.push_str(&format!("\n{foreseen} are not judged: their version learnt from later rows"));
        }
        if self.counted == 0 {
            return text;
        }
        let products = number(self.products);
        text.push_str(&format!("\n{products} products were shown, {:.1} a list\n", self.length));
        let periods = self.periods.iter().map(|period| {
            let from: String = period.from.to_string().chars().take(10).collect();
            (format!("from {from}"), figures(period.counted, &period.quality, false))
        });
        let all = ("all".to_owned(), figures(self.counted, &self.quality, false));
        text.push_str(&shown("period", periods.chain([all])));
        if let Some(comparison) = &self.comparison {
            let variants = self.variants.iter();
            let rows =
                variants.map(|variant| (named(variant), figures(variant.counted, &variant.quality, true)));
            text.push_str(&format!("\n{}\nthe challenger: {}", shown("variant", rows), comparison.words));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::{Figure, ListComparison};
    use scorehouse_features::time::{DAY, Span};

    #[test]
    fn a_person_reads_counts_figures_and_the_verdict() {
        let figure = Figure { value: 0.25, low: 0.125, high: 0.5 };
        let quality = ListQuality {
            judged: 1_200,
            bought: 400,
            hit_rate: Some(figure),
            position: Some(2.5),
            ..ListQuality::default()
        };
        let variant = |variant: &str| ListVariant {
            variant: variant.to_owned(),
            versions: vec![1, 3],
            counted: 1_500,
            products: 80,
            length: 5.0,
            quality,
        };
        let comparison = ListComparison {
            paired: true,
            lists: 1_200,
            difference: None,
            verdict: "not_compared",
            words: "too few".to_owned(),
        };
        let report = ListReport {
            model: "upsell".to_owned(),
            horizon: Span(14 * DAY),
            lists: 12_345,
            unnamed: 17,
            counted: 1_500,
            pending: 300,
            foreseen: 0,
            products: 80,
            length: 4.96,
            quality,
            periods: Vec::new(),
            variants: vec![variant("champion"), variant("shadow")],
            comparison: Some(comparison),
        };
        let text = report.human();
        for part in [
            "lists in the log: 12 345; 1 500 count",
            "300 of them pending (a purchase counts within 14d)",
            "17 were for nobody by name",
            "80 products were shown, 5.0 a list",
            "0.250 (0.125 to 0.500)",
            "shadow (version 1, 3), 80 products",
            "the challenger: too few",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("not judged"), "{text}");
    }
}
