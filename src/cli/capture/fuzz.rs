//! Invariant: any file becomes recordings, or an error of one sentence. The recordings contain bytes of the
//! file only, and none twice. The notes are few and short. A recording that is written and read again is
//! equal. An incomplete file gives the beginning of the whole one.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::*;

/// The most notes of a file, and of a connection.
const MAX_NOTES: usize = 8;
const MAX_NOTE_LEN: usize = 400;

/// Runs the body of the target: the input is a file.
pub(in super::super) fn body(file: &[u8]) {
    let Ok(capture) = read(file) else {
        assert!(!is_capture(file) || file.len() < 4);
        return;
    };
    check_notes(&capture.notes);
    let mut recorded = 0;
    for recording in &capture.connections {
        check_notes(&recording.notes);
        assert!(!recording.pieces.is_empty(), "nothing is said on it");
        assert!(recording.pieces.iter().all(|piece| !piece.bytes.is_empty()));
        recorded += recording.pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>();
        check_written(recording);
    }
    assert!(recorded <= file.len(), "{recorded} bytes come of {}", file.len());
    for cut in [file.len() / 2, file.len().saturating_sub(1)] {
        check_cut(&file[..cut], &capture);
    }
}

fn check_notes(notes: &[String]) {
    assert!(notes.len() <= MAX_NOTES, "{notes:?}");
    for note in notes {
        assert!(note.len() <= MAX_NOTE_LEN && !note.chars().any(char::is_control), "{note:?}");
    }
}

/// Returns the bytes of each address.
fn streams(recording: &Recording<'_>) -> BTreeMap<SocketAddr, Vec<u8>> {
    let mut streams = BTreeMap::<_, Vec<u8>>::new();
    for piece in &recording.pieces {
        let from = if piece.from == Side::Client { recording.client } else { recording.server };
        streams.entry(from).or_default().extend_from_slice(piece.bytes);
    }
    streams
}

/// Writes a recording, which must succeed, and reads it again.
fn check_written(recording: &Recording<'_>) {
    let (client, server) = (recording.client, recording.server);
    let mut file = Vec::new();
    let mut write = || {
        let mut writer = Writer::begin(client, server, Duration::ZERO, &mut file)?;
        for piece in &recording.pieces {
            writer.write(piece.at, piece.from, piece.bytes, &mut file)?;
        }
        writer.end(Duration::ZERO, &mut file)
    };
    assert!(write().is_ok(), "a Vec takes everything");
    let Ok(Capture { connections, notes }) = read(&file) else { unreachable!("a capture was written") };
    assert!(connections.len() == 1 && notes.is_empty(), "{connections:?}, {notes:?}");
    assert!(connections[0].notes.is_empty(), "{:?}", connections[0].notes);
    assert_eq!((connections[0].client, connections[0].server), (client, server));
    assert_eq!(streams(&connections[0]), streams(recording));
}

/// Compares the recordings of a file's beginning with those of the whole.
fn check_cut(file: &[u8], whole: &Capture<'_>) {
    let Ok(capture) = read(file) else { return };
    assert!(capture.connections.len() <= whole.connections.len());
    for recording in &capture.connections {
        let has_begun = |other: &Recording<'_>| {
            let whole = streams(other);
            streams(recording)
                .iter()
                .all(|(from, bytes)| whole.get(from).is_some_and(|it| it.starts_with(bytes)))
        };
        assert!(whole.connections.iter().any(has_begun), "{recording:?} is not in the whole file");
    }
}
