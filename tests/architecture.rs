//! Dependencies between the top-level modules of src/ point one way, each of them but `sys` forbids unsafe code, and the tests that
//! documents cite exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module -> modules that it may use. docs/architecture.md explains them.
const ALLOWED: &[(&str, &[&str])] = &[
    ("redact", &["names"]),
    ("secret", &[]),
    ("sa", &["secret"]),
    ("names", &["sa"]),
    ("chain", &["sa"]),
    ("policy", &["names", "sa"]),
    ("sys", &["redact", "secret"]),
    ("wire", &["sa", "secret", "names"]),
    ("keyfile", &["chain", "names", "redact", "sa", "secret"]),
    ("show", &["names", "redact", "sa", "secret"]),
    ("model", &["names", "redact", "wire", "sa", "sys", "secret"]),
    ("sadb", &["model", "names", "policy", "redact", "wire", "sa", "sys", "secret"]),
    ("apply", &["keyfile", "names", "sa", "sadb"]),
    ("reconcile", &["apply", "chain", "keyfile", "names", "redact", "sa", "sadb", "secret", "sys"]),
    ("convert", &["keyfile", "names", "policy", "redact", "sa", "secret", "show"]),
    ("links", &["names", "policy", "sa", "sadb"]),
    (
        "cli",
        &[
            "apply",
            "chain",
            "convert",
            "keyfile",
            "links",
            "names",
            "policy",
            "reconcile",
            "redact",
            "sa",
            "sadb",
            "secret",
            "service",
            "show",
            "sys",
        ],
    ),
    (
        "internals",
        &[
            "apply",
            "keyfile",
            "model",
            "names",
            "policy",
            "reconcile",
            "redact",
            "sa",
            "sadb",
            "secret",
            "service",
            "show",
            "sys",
            "wire",
        ],
    ),
    (
        "service",
        &[
            "apply",
            "chain",
            "keyfile",
            "links",
            "names",
            "policy",
            "reconcile",
            "redact",
            "sa",
            "sadb",
            "secret",
            "show",
            "sys",
        ],
    ),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// Every line with unsafe code in these directories: file, line number, the eight lines before it.
fn unsafe_lines(directories: &[&str]) -> Vec<(PathBuf, usize, String)> {
    // Assembled here, so that the search does not find this file.
    let forms = ["{", "fn ", "impl ", "extern "].map(|form| ["unsafe", form].join(" "));
    let mut files = Vec::new();
    directories.iter().for_each(|name| sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name), &mut files));
    let mut found = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap();
            if forms.iter().any(|form| code.contains(form.as_str())) || code.contains(concat!("allow(", "unsafe_code")) {
                found.push((path.clone(), at + 1, lines[at.saturating_sub(8)..at].join("\n")));
            }
        }
    }
    found
}

/// Every source file with its top-level module and text; without `lib.rs` and `bin/`, which may use all modules.
fn module_files() -> BTreeMap<PathBuf, (String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    files
        .into_iter()
        .filter_map(|path| {
            let first = path.strip_prefix(&src).unwrap().iter().next().unwrap().to_str().unwrap().to_owned();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            (module != "lib" && module != "bin").then_some((path, (module, text)))
        })
        .collect()
}

#[test]
fn modules_import_only_allowed_modules() {
    let mut wrong = Vec::new();
    for (path, (module, text)) in module_files() {
        let (_, allowed) =
            ALLOWED.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("module {module} has no row"));
        for (number, line) in text.lines().enumerate() {
            for after in line.split("crate::").skip(1) {
                let used: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !used.is_empty() && used != module && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}:{}: {module} uses {used}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn target_os_only_in_sys_and_service() {
    for (path, (module, text)) in module_files() {
        assert!(matches!(module.as_str(), "sys" | "service") || !text.contains("target_os"), "{}", path.display());
    }
}

/// Cargo.toml denies unsafe code everywhere, and the root files of the other modules forbid it; no `allow` may override that.
#[test]
fn unsafe_code_only_in_sys_with_safety_comment() {
    let sys = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys");
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert!(
        manifest.contains("\nunsafe_code = \"deny\"\n") && manifest.contains("\nundocumented_unsafe_blocks = \"deny\"\n")
    );
    let found = unsafe_lines(&["src", "tests", "benches", "fuzz/fuzz_targets"]);
    assert!(found.len() > 10, "the search finds no unsafe code");
    for (path, line, before) in found {
        assert!(path.starts_with(&sys), "{}:{line}: unsafe code", path.display());
        let is_module_root = path.ends_with("sys/mod.rs");
        assert!(is_module_root || before.contains("// SAFETY:"), "{}:{line}: no SAFETY comment", path.display());
    }
}

#[test]
fn modules_forbid_unsafe_code() {
    for (path, (module, text)) in module_files() {
        let is_module_root = path.file_name().is_some_and(|name| name == "mod.rs")
            && path.parent().unwrap().ends_with(&module)
            || path.file_stem().is_some_and(|stem| stem.to_str() == Some(&module));
        if module != "sys" && is_module_root {
            assert!(text.contains("#![forbid(unsafe_code)]"), "{} does not forbid unsafe code", path.display());
        }
    }
}

/// The lists of tests in a document: the lines that begin with `- Tests:`, the indented lines after them, and tables with the column
/// `test`.
fn cited_tests(document: &str) -> String {
    let mut cited = String::new();
    let (mut is_list, mut is_table) = (false, false);
    for line in document.lines() {
        is_list = line.starts_with("- Tests:") || is_list && line.starts_with("  ");
        is_table = line.ends_with("| test |") || is_table && line.starts_with('|');
        if is_list || is_table {
            cited.push_str(line);
            cited.push('\n');
        }
    }
    cited
}

/// The commands of a page are run: a test names each page that has some.
#[test]
fn documents_with_commands_have_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("tests"), &mut files);
    let mut tests: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    tests += &fs::read_to_string(root.join("tests/system/guest")).unwrap();
    let mut pages = 0;
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".md") && fs::read_to_string(&path).unwrap().contains("```sh\n") {
            pages += 1;
            let is_named = [format!("\"{name}\""), format!("docs/{name}\"")].iter().any(|text| tests.contains(text));
            assert!(is_named || tests.contains(&format!(" docs/{name} ")), "no test runs the commands of docs/{name}");
        }
    }
    assert!(pages > 8, "{pages}");
}

/// In a list of tests, a word of three parts is the name of a test, and a word that begins with `tests/` is a path.
#[test]
fn documents_cite_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ["src", "tests"].iter().for_each(|name| sources(&root.join(name), &mut files));
    let code: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let (mut cited_tests_count, mut missing) = (0, Vec::new());
    for document in ["docs/threat-model.md", "docs/behaviour.md", "docs/illumos.md", "docs/parity.md"] {
        let cited = cited_tests(&fs::read_to_string(root.join(document)).unwrap());
        let words = cited.split(|c: char| !c.is_alphanumeric() && c != '_');
        for test in words.filter(|word| word.matches('_').count() >= 2) {
            cited_tests_count += 1;
            if !code.contains(&format!("fn {test}(")) {
                missing.push(format!("{document}: test {test} does not exist"));
            }
        }
        let paths = cited.split_whitespace().map(|word| word.trim_end_matches([',', ';', ':']));
        for path in paths.filter(|word| word.starts_with("tests/") && !root.join(word).exists()) {
            missing.push(format!("{document}: {path} does not exist"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(cited_tests_count > 200, "too few tests were found: {cited_tests_count}");
}

/// The words in the usage of `ip xfrm`, of the installed version, are in docs/parity.md, and each row of it has a test.
#[test]
fn parity_has_each_word_of_ip_xfrm() {
    let parity = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/parity.md")).unwrap();
    let rows = parity.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |") && !line.contains("---"));
    let without_test: Vec<&str> = rows.filter(|row| cited_test(row).is_none()).collect();
    assert_eq!(without_test, [""; 0]);
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let known: Vec<&str> = parity.split(|c| !is_word(c)).collect();
    for object in ["state", "policy", "monitor"] {
        let Ok(output) = std::process::Command::new("ip").args(["xfrm", object, "help"]).output() else { return };
        let usage = String::from_utf8(output.stderr).unwrap();
        let words =
            usage.split(|c| !is_word(c)).filter(|word| word.len() > 1 && word.starts_with(|c: char| c.is_lowercase()));
        // Of the usage itself, and lists of all objects.
        let missing: Vec<&str> =
            words.filter(|word| !["sage", "all", "help"].contains(word) && !known.contains(word)).collect();
        assert_eq!(missing, [""; 0], "ip xfrm {object}");
    }
}

/// The test in the last cell of a row.
fn cited_test(row: &str) -> Option<&str> {
    let cell = row.trim_end_matches(" |").rsplit("| ").next()?;
    cell.strip_prefix('`')?.strip_suffix('`').filter(|name| name.matches('_').count() >= 2)
}
