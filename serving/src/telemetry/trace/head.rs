//! Which trace a request belongs to, and whether a span is made of it.

use axum::http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

/// A span's place in its trace.
#[derive(Debug, Clone)]
pub struct Head {
    /// The trace and the span's own id.
    pub context: SpanContext,
    /// The caller's span; invalid without one.
    pub parent: SpanId,
}

impl Head {
    /// The place of a request with these headers; none when it is not sampled: a caller that brings a valid `traceparent`
    /// has decided, of others a share is taken.
    pub fn of(headers: &HeaderMap, sampling: f64) -> Option<Self> {
        let ids = RandomIdGenerator::default();
        if headers.contains_key("traceparent") {
            let caller = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
            let caller = caller.span().span_context().clone();
            if caller.is_valid() {
                let (trace, state) = (caller.trace_id(), caller.trace_state().clone());
                return caller.is_sampled().then(|| Self {
                    context: SpanContext::new(trace, ids.new_span_id(), TraceFlags::SAMPLED, false, state),
                    parent: caller.span_id(),
                });
            }
        }
        let trace = ids.new_trace_id();
        is_taken(trace, sampling).then(|| Self {
            context: SpanContext::new(
                trace,
                ids.new_span_id(),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent: SpanId::INVALID,
        })
    }
}

/// True for a share of all traces: those whose last 56 bits, which are random (W3C Trace Context, level 2), are small.
fn is_taken(trace: TraceId, share: f64) -> bool {
    let [.., a, b, c, d, e, f, g] = trace.to_bytes();
    let random = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
    random < (share * (1u64 << 56) as f64) as u64
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn with(traceparent: &str) -> HeaderMap {
        [("traceparent".parse().unwrap(), HeaderValue::from_str(traceparent).unwrap())].into_iter().collect()
    }

    #[test]
    fn a_callers_trace_goes_on_as_it_decided() {
        let head = Head::of(&with(&format!("00-{TRACE}-00f067aa0ba902b7-01")), 0.0).unwrap();
        assert_eq!(head.context.trace_id().to_string(), TRACE);
        assert_eq!(head.parent.to_string(), "00f067aa0ba902b7");
        assert_ne!(head.context.span_id(), head.parent);
        assert!(Head::of(&with(&format!("00-{TRACE}-00f067aa0ba902b7-00")), 1.0).is_none());
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace_of_its_own() {
        for wrong in ["", "00", "00-0-0-01", &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))] {
            let head = Head::of(&with(wrong), 1.0).unwrap();
            assert_eq!(head.parent, SpanId::INVALID, "{wrong}");
            assert!(Head::of(&with(wrong), 0.0).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_the_traces_is_taken() {
        let trace = |last: u64| TraceId::from_bytes((u128::MAX << 64 | u128::from(last)).to_be_bytes());
        let half = 1 << 55;
        assert!(is_taken(trace(half - 1), 0.5) && !is_taken(trace(half), 0.5));
        assert!(is_taken(trace(u64::MAX), 1.0) && !is_taken(trace(0), 0.0));
    }
}
