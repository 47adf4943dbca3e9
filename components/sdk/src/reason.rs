//! Why something is not as it should be: [`Reason`], in a form that people read in their language.

use crate::model::Reason;

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Reason {
            code: "host.said".to_owned(),
            args: vec![("text".to_owned(), text)],
            mend: None,
            detail: None,
        }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Reason {
    /// Its values, for logs and tests.
    pub fn text(&self) -> String {
        let values: Vec<&str> = self.args.iter().map(|(_, value)| value.as_str()).collect();
        values.join(", ")
    }
}
