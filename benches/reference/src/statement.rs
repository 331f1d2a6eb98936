//! Statements as Otaru's store has them, so that both sides run the same.

use std::error::Error;

use serde_json::Value;

/// A parameter.
#[derive(Clone, Debug)]
pub enum Parameter {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The text of the one statement of that name that has `holding` in it.
pub fn find(name: &str, holding: &str) -> Result<String, Box<dyn Error>> {
    let mut found = otaru_core::store::statement::all()
        .into_iter()
        .filter(|statement| statement.name().ends_with(name) && statement.text().contains(holding));
    match (found.next(), found.next()) {
        (Some(statement), None) => Ok(statement.text().to_owned()),
        (None, _) => Err(format!("the store has no statement {name} with {holding:?} in it").into()),
        (Some(_), Some(_)) => Err(format!("several statements {name} have {holding:?} in them").into()),
    }
}

pub fn parameters(text: &str) -> Result<Vec<Parameter>, Box<dyn Error>> {
    let Value::Array(values) = serde_json::from_str(text)? else { return Err("parameters are a list".into()) };
    values
        .into_iter()
        .map(|value| match value {
            Value::Number(number) => Ok(Parameter::Number(number.as_i64().ok_or("numbers are whole")?)),
            Value::String(text) => Ok(match text.strip_prefix("x'") {
                Some(digits) => Parameter::Bytes(hex::decode(digits)?),
                None => Parameter::Text(text),
            }),
            other => Err(format!("{other} is no parameter").into()),
        })
        .collect()
}
