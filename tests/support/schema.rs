//! The subset of JSON Schema that docs/schema.json uses. Panics at an unknown keyword, so none is ignored.

use serde_json::Value;

/// Keywords for readers only.
const SILENT: &[&str] = &["$schema", "$defs", "title", "description"];

/// The reason why `value` does not match `schema`, if it does not. `root` is the whole document, for references.
pub(crate) fn misfit(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    schema.as_object().unwrap().iter().filter(|(word, _)| !SILENT.contains(&word.as_str())).find_map(|(word, rule)| {
        let wrong = |is_wrong: bool| is_wrong.then(|| format!("{value} against {word} {rule}"));
        match word.as_str() {
            "$ref" => misfit(root, referred(root, rule), value),
            "anyOf" => {
                let misfits: Option<Vec<String>> =
                    rule.as_array().unwrap().iter().map(|one| misfit(root, one, value)).collect();
                misfits.map(|all| all.join("\n"))
            }
            "type" => wrong(!is_of_type(value, rule.as_str().unwrap())),
            "enum" => wrong(!rule.as_array().unwrap().contains(value)),
            "minimum" => wrong(value.as_i64().is_some_and(|number| number < rule.as_i64().unwrap())),
            "items" => value.as_array()?.iter().find_map(|item| misfit(root, rule, item)),
            "required" => wrong(rule.as_array().unwrap().iter().any(|name| value.get(name.as_str().unwrap()).is_none())),
            "properties" => value.as_object()?.iter().find_map(|(name, value)| misfit(root, rule.get(name)?, value)),
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                wrong(value.as_object()?.keys().any(|name| !known.contains_key(name)))
            }
            _ => panic!("unsupported keyword in the schema: {word}"),
        }
    })
}

fn referred<'a>(root: &'a Value, reference: &Value) -> &'a Value {
    let path = reference.as_str().unwrap().strip_prefix('#').unwrap();
    root.pointer(path).unwrap()
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        _ => panic!("{name}"),
    }
}
