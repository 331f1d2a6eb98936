//! The parameters of a request: those of the query and those of a form, merged and decoded (contract §1, §1.1).

use std::collections::{BTreeMap, HashSet};

use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;

use super::error::Failure;
use crate::wire::percent::{decode_form, split_pairs};

/// Decoded parameters. Names are case-sensitive.
#[derive(Debug)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
    /// What is wrong with them as a whole, if something is: kept until the answer's format is known.
    problem: Option<String>,
}

/// A member of an array: its index, and its fields by name.
pub type Member<'a> = (u32, BTreeMap<&'a str, &'a str>);

impl Parameters {
    pub fn read(parts: &Parts, body: &[u8]) -> Parameters {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let form = if is_form(parts) { body } else { &[] };
        let mut parameters = Parameters { pairs: Vec::new(), problem: None };
        for (name, value) in split_pairs(query).chain(split_pairs(form)) {
            let name = parameters.text(&decode_form(name), None);
            let value = parameters.text(&decode_form(value.unwrap_or_default()), Some(&name));
            parameters.pairs.push((name, value));
        }
        let mut seen = HashSet::new();
        let repeated = parameters.pairs.iter().find(|(name, _)| !seen.insert(name.as_str()));
        if let Some(problem) = repeated.map(|(name, _)| format!("The parameter {name} was sent more than once.")) {
            parameters.problem.get_or_insert(problem);
        }
        parameters
    }

    fn text(&mut self, bytes: &[u8], value_of: Option<&str>) -> String {
        let what =
            || value_of.map_or_else(|| "The name of a parameter".to_owned(), |name| format!("The parameter {name}"));
        if bytes.contains(&0) {
            self.problem.get_or_insert(format!("{} holds a NUL character.", what()));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                self.problem.get_or_insert(format!("{} is not UTF-8 text.", what()));
                String::from_utf8_lossy(bytes).into_owned()
            }
        }
    }

    /// Refuses parameters that cannot be told apart or kept as they are.
    pub fn check(&self) -> Result<(), Failure> {
        match &self.problem {
            Some(problem) => Err(Failure::invalid_parameter(problem.as_str())),
            None => Ok(()),
        }
    }

    /// All of them, as signatures cover them.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The value that was sent, also if it is empty.
    pub fn sent(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The value, if it is not empty: clients send empty values for what is not set.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.sent(name).filter(|value| !value.is_empty())
    }

    /// The members of an array of objects, `Name.N.Field`, in the order of their indexes; gaps are closed. Each member comes
    /// with its index, by which messages speak of it.
    pub fn objects(&self, name: &str) -> Result<Vec<Member<'_>>, Failure> {
        let mut members: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
        for (full, value) in &self.pairs {
            let Some(rest) = full.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) else { continue };
            let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
            let number = index.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == index);
            let (Some(number), false) = (number, field.is_empty()) else {
                let problem = format!("The parameter {full} is not of the form {name}.N.Field with N counted from 1.");
                return Err(Failure::invalid_parameter(problem));
            };
            members.entry(number).or_default().insert(field, value);
        }
        Ok(members.into_iter().collect())
    }
}

fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn read(query: &str, content_type: &str, body: &str) -> Parameters {
        let request = Request::post(format!("/?{query}")).header(CONTENT_TYPE, content_type).body(()).unwrap();
        Parameters::read(&request.into_parts().0, body.as_bytes())
    }

    const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

    #[test]
    fn query_and_form_are_merged() {
        let parameters = read("a=1+2&b=", FORM, "c=%2B");
        assert_eq!(parameters.given("a"), Some("1 2"));
        assert_eq!((parameters.sent("b"), parameters.given("b")), (Some(""), None));
        assert_eq!(parameters.given("c"), Some("+"));
        assert_eq!(parameters.given("A"), None, "names are case-sensitive");
        assert_eq!(parameters.check(), Ok(()));
        assert_eq!(read("", "application/json", "c=1").given("c"), None);
    }

    #[test]
    fn what_cannot_be_kept_is_named() {
        let problem = |query: &str, form: &str| match read(query, FORM, form).check() {
            Err(Failure::Gateway(gateway)) => gateway.message,
            other => panic!("{other:?}"),
        };
        assert_eq!(problem("a=1", "a=1"), "The parameter a was sent more than once.");
        assert_eq!(problem("Udi=%00", ""), "The parameter Udi holds a NUL character.");
        assert_eq!(problem("", "Udi=%ff"), "The parameter Udi is not UTF-8 text.");
        assert_eq!(problem("%ff=1", ""), "The name of a parameter is not UTF-8 text.");
    }

    #[test]
    fn arrays_are_sorted_by_index_and_their_gaps_closed() {
        let parameters = read("F.10.Name=c&F.2.Url=u&F.2.Name=b&F.1.Name=a&Fx.1.Name=z", FORM, "");
        let members = parameters.objects("F").unwrap();
        let names: Vec<_> = members.iter().map(|(index, fields)| (*index, fields["Name"])).collect();
        assert_eq!(names, [(1, "a"), (2, "b"), (10, "c")]);
        assert_eq!(members[1].1["Url"], "u");
        for wrong in
            ["F.0.Name=a", "F.01.Name=a", "F.x.Name=a", "F.1=a", "F.1.=a", "F.-1.Name=a", "F.99999999999.Name=a"]
        {
            assert!(read(wrong, FORM, "").objects("F").is_err(), "{wrong}");
        }
    }
}
