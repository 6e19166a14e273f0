//! Schemas of what is a text on the wire, and not any text.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::PageToken;
use crate::{UnitKind, UnitName};

/// What may be in a name; it does not begin with an `@`.
const STEM: &str = r"[A-Za-z0-9:_.\\-][A-Za-z0-9:_.\\@-]*";

/// Four bytes in base64.
const PAGE_TOKEN: &str = "^[A-Za-z0-9_-]{5}[AQgw]==$";

fn text(description: &str, pattern: &str, example: &str) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    object.pattern(Some(pattern)).examples([example]).build().into()
}

impl PartialSchema for UnitName {
    fn schema() -> RefOr<Schema> {
        let kinds = UnitKind::ALL.map(UnitKind::as_str).join("|");
        text("Name of a unit.", &format!(r"^{STEM}\.({kinds})$"), "hello.service")
    }
}

impl ToSchema for UnitName {}

impl PartialSchema for PageToken {
    fn schema() -> RefOr<Schema> {
        text("Which page of a list; the page before names it.", PAGE_TOKEN, "ZAABAA==")
    }
}

impl ToSchema for PageToken {}
