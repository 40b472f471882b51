//! Messages in bytes and back.

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Fields of a message, each tensor one or two. An empty tensor takes two bytes on the wire and some hundred in memory,
/// so that a message within the limit of bytes could otherwise take a hundred times as much.
const MOST_FIELDS: usize = 16_384;

/// Answers of type `A` to questions of type `Q` in protobuf. Unlike the codec that comes with tonic it calls bytes that
/// are no message the caller's fault, not the server's.
pub struct Protobuf<A, Q>(PhantomData<(A, Q)>);

impl<A, Q> Default for Protobuf<A, Q> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<A: Message + 'static, Q: Message + Default + 'static> Codec for Protobuf<A, Q> {
    type Encode = A;
    type Decode = Q;
    type Encoder = Writer<A>;
    type Decoder = Reader<Q>;

    fn encoder(&mut self) -> Writer<A> {
        Writer(PhantomData)
    }

    fn decoder(&mut self) -> Reader<Q> {
        Reader(PhantomData)
    }
}

/// Writes answers.
pub struct Writer<A>(PhantomData<A>);

impl<A: Message> Encoder for Writer<A> {
    type Item = A;
    type Error = Status;

    fn encode(&mut self, answer: A, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        answer.encode(to).map_err(|error| Status::internal(error.to_string()))
    }
}

/// Reads questions.
pub struct Reader<Q>(PhantomData<Q>);

impl<Q: Message + Default> Decoder for Reader<Q> {
    type Item = Q;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Q>, Status> {
        if has_too_many_fields(from.chunk()) {
            return Err(Status::invalid_argument(format!("a message has at most {MOST_FIELDS} fields")));
        }
        Q::decode(from).map(Some).map_err(|error| Status::invalid_argument(error.to_string()))
    }
}

fn has_too_many_fields(mut message: &[u8]) -> bool {
    for _ in 0..MOST_FIELDS {
        // What is broken is for whoever decodes it to say.
        let Ok((tag, wire)) = decode_key(&mut message) else { return false };
        if skip_field(wire, tag, &mut message, DecodeContext::default()).is_err() {
            return false;
        }
    }
    message.has_remaining()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_many_empty_tensors_is_told_from_one_of_many_bytes() {
        let tensor = [0x2a, 0x00];
        assert!(!has_too_many_fields(&tensor.repeat(MOST_FIELDS)));
        assert!(has_too_many_fields(&tensor.repeat(MOST_FIELDS + 1)));
        let long = [&[0x3a, 0xff, 0xff, 0x03][..], &[0; 65_535]].concat();
        assert!(!has_too_many_fields(&long), "one field");
        assert!(!has_too_many_fields(&[0x2a, 0x7f, 0x00]), "broken");
    }
}
