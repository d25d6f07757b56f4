//! Dispatch of a message to the function for its type (illumos `ipsecesp.c`, `esp_parse_pfkey`).

use crate::model::Context;
use crate::model::address;
use crate::model::frame::Frame;
use crate::model::refusal::Checked;
use crate::model::table::Database;
use crate::model::{add, checks, delete, describe, update};
use crate::sa::MessageType;
use crate::secret::Buffer;

/// Carries out the request in `frame` and returns the reply, if there is one.
pub(crate) fn handle(database: &mut Database, frame: &mut Frame, context: &mut Context<'_>) -> Checked<Option<Buffer>> {
    // For every message type and before its own checks, also for GET and DELETE (esp_pfkey_reality_failures).
    let addresses = address::check(frame, context.settings)?;
    checks::refuse_misplaced_extensions(database.sa_type, frame)?;
    match frame.header().kind() {
        MessageType::GETSPI => {
            add::getspi(database, frame, &addresses, context)?;
            // esp_getspi sends the request back as it is, even with keys.
            return Ok(Some(Buffer::from_slice(frame.bytes())));
        }
        MessageType::ADD => add::add(database, frame, &addresses, None, context)?,
        MessageType::UPDATE | MessageType::UPDATE_PAIR => update::update(database, frame, &addresses, context)?,
        MessageType::GET => return delete::get(database, frame, &addresses).map(Some),
        MessageType::DELETE | MessageType::DELETE_PAIR => return delete::delete(database, frame, &addresses).map(Some),
        MessageType::DELETE_PAIR_STATE => return delete::delete_state(database, frame, &addresses).map(Some),
        MessageType::REGISTER => {
            return describe::encoded(&describe::register_reply(&frame.header(), database.sa_type)).map(Some);
        }
        // ACQUIRE with an errno: a key manager gives up on an acquire record. The model keeps none.
        _ => return Ok(None),
    }
    Ok(Some(frame.echo()))
}
