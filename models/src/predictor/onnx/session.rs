//! One open model: what it reads, which output is read, and running it.

use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};
use parking_lot::Mutex;

use crate::error::ModelError;
use crate::predictor::onnx::{OnnxOptions, library};

/// An open model. ONNX Runtime's sessions are not to be run by two threads at once, hence the lock.
#[derive(Debug)]
pub(super) struct OnnxSession {
    state: Mutex<State>,
    inputs: Inputs,
    output: usize,
}

#[derive(Debug)]
struct State {
    session: Session,
    single: Vec<f32>,
    whole: Vec<i64>,
}

/// How the columns go in.
#[derive(Debug, Clone, PartialEq)]
enum Inputs {
    /// One tensor `[1, columns]`.
    Matrix(Number),
    /// One tensor `[1, 1]` per column.
    Columns(Vec<Number>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Single,
    Double,
    Whole,
}

const ZIPMAP: &str = "convert the classifier with options={'zipmap': False}";

fn failed<T>(error: ort::Error<T>) -> ModelError {
    ModelError::Onnx { why: error.to_string() }
}

fn refuse<T>(why: String) -> Result<T, ModelError> {
    Err(ModelError::Onnx { why })
}

impl OnnxSession {
    pub(super) fn open(bytes: &[u8], options: &OnnxOptions) -> Result<Self, ModelError> {
        let environment = library::environment()?;
        let builder = Session::builder(&environment).map_err(failed)?;
        let builder = builder.with_intra_threads(1).map_err(failed)?;
        let mut builder = builder.with_inter_threads(1).map_err(failed)?;
        let session = builder.commit_from_memory(bytes).map_err(failed)?;
        let inputs = Inputs::of(&session, options.width)?;
        let output = choose_output(&session, options)?;
        let state = State { session, single: Vec::new(), whole: Vec::new() };
        Ok(Self { state: Mutex::new(state), inputs, output })
    }

    /// The model's number for one row.
    pub(super) fn run(&self, row: &[f64]) -> Result<f64, ModelError> {
        let State { session, single, whole } = &mut *self.state.lock();
        single.clear();
        single.extend(row.iter().map(|x| *x as f32));
        whole.clear();
        if self.inputs.has_whole() {
            whole.extend(row.iter().map(|x| *x as i64));
        }
        let columns = match &self.inputs {
            Inputs::Matrix(number) => vec![tensor(*number, row, single, whole)?],
            Inputs::Columns(numbers) => {
                let column = |(i, number): (usize, &Number)| {
                    let whole = whole.get(i..=i).unwrap_or_default();
                    tensor(*number, &row[i..=i], &single[i..=i], whole)
                };
                numbers.iter().enumerate().map(column).collect::<Result<_, _>>()?
            }
        };
        let outputs = session.run(columns.as_slice()).map_err(failed)?;
        read(&outputs[self.output])
    }
}

fn tensor<'a>(
    number: Number,
    row: &'a [f64],
    single: &'a [f32],
    whole: &'a [i64],
) -> Result<SessionInputValue<'a>, ModelError> {
    let shape = [1, row.len()];
    Ok(match number {
        Number::Single => TensorRef::from_array_view((shape, single)).map_err(failed)?.into(),
        Number::Double => TensorRef::from_array_view((shape, row)).map_err(failed)?.into(),
        Number::Whole if row.iter().any(|x| x.is_nan()) => {
            return refuse("a missing value came for an input of whole numbers".into());
        }
        Number::Whole => TensorRef::from_array_view((shape, whole)).map_err(failed)?.into(),
    })
}

impl Inputs {
    fn of(session: &Session, width: usize) -> Result<Self, ModelError> {
        let mut numbers = Vec::new();
        for input in session.inputs() {
            numbers.push(Self::number(input.name(), input.dtype())?);
        }
        if numbers.len() == width && width > 1 {
            return Ok(Self::Columns(numbers));
        }
        let [number] = numbers[..] else {
            return refuse(format!(
                "the model has {} inputs; it must have one for all columns, or one for each of {width}",
                numbers.len()
            ));
        };
        let columns = match session.inputs()[0].dtype() {
            ValueType::Tensor { shape, .. } => shape.last().copied().unwrap_or(-1),
            _ => -1,
        };
        if columns >= 0 && columns as usize != width {
            return refuse(format!("the model reads {columns} columns, but the feature list has {width}"));
        }
        Ok(Self::Matrix(number))
    }

    fn number(name: &str, kind: &ValueType) -> Result<Number, ModelError> {
        match kind {
            ValueType::Tensor { ty: TensorElementType::Float32, .. } => Ok(Number::Single),
            ValueType::Tensor { ty: TensorElementType::Float64, .. } => Ok(Number::Double),
            ValueType::Tensor { ty: TensorElementType::Int64, .. } => Ok(Number::Whole),
            other => refuse(format!("input {name} is {other}; numbers (float, double, int64) are needed")),
        }
    }

    fn has_whole(&self) -> bool {
        match self {
            Self::Matrix(number) => *number == Number::Whole,
            Self::Columns(numbers) => numbers.contains(&Number::Whole),
        }
    }
}

/// The output that holds the answer: the one asked for, else `probabilities`, else the only one of numbers.
fn choose_output(session: &Session, options: &OnnxOptions) -> Result<usize, ModelError> {
    let outputs = session.outputs();
    let names = || outputs.iter().map(ort::value::Outlet::name).collect::<Vec<_>>().join(", ");
    let floats = |kind: &ValueType| {
        use TensorElementType::{Float32, Float64};
        matches!(kind, ValueType::Tensor { ty: Float32 | Float64, .. })
    };
    let wanted = options.output.as_deref().unwrap_or("probabilities");
    if let Some(found) = outputs.iter().position(|o| o.name() == wanted) {
        return if floats(outputs[found].dtype()) {
            Ok(found)
        } else {
            refuse(format!("output {wanted} is {}, not numbers; {ZIPMAP}", outputs[found].dtype()))
        };
    }
    if options.output.is_some() {
        return refuse(format!("there is no output {wanted}; there are {}", names()));
    }
    let of_numbers: Vec<usize> = (0..outputs.len()).filter(|i| floats(outputs[*i].dtype())).collect();
    match of_numbers[..] {
        [only] => Ok(only),
        [] => refuse(format!("no output holds numbers (there are {}); {ZIPMAP}", names())),
        _ => refuse(format!("several outputs hold numbers; name one of {}", names())),
    }
}

/// One number, or the second of two: the probability of the positive class.
fn read(output: &ort::value::DynValue) -> Result<f64, ModelError> {
    let numbers: Vec<f64> = match output.try_extract_tensor::<f32>() {
        Ok((_, numbers)) => numbers.iter().map(|x| f64::from(*x)).collect(),
        Err(_) => output.try_extract_tensor::<f64>().map_err(failed)?.1.to_vec(),
    };
    match numbers[..] {
        [only] => Ok(only),
        [_, positive] => Ok(positive),
        _ => refuse(format!(
            "the model answers with {} numbers; one, or two classes, are understood",
            numbers.len()
        )),
    }
}
