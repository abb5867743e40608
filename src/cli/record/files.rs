//! The files of recordings, opened so that no other user can interfere.
//!
//! This file knows directories, owners, and a shortage of descriptors. It does not know what is written.
//!
//! A user who can write to the directory could replace a file by a link, so that the server appends a
//! client's bytes to another file, or by a named pipe, on which opening blocks. So only the server's user may
//! write to the directory. A file is reopened without following links and without blocking, and must be the
//! file that was created.

use std::{
    collections::VecDeque,
    fs::{self, File, Metadata, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use wirehook::ConnId;

/// How many files are open at once. The files of the connections that are silent for longest are closed, and
/// reopened at the next bytes: every open file takes a descriptor from the clients.
const OPEN_FILES: usize = 64;

/// The errors of `open` if the process or the system has no descriptors left; the same on all systems.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// The path of a file, and its identity.
pub(super) struct FilePlace {
    pub(super) path: PathBuf,
    identity: Identity,
}

/// The files in one directory, of which some are open.
pub(super) struct Files {
    directory: FilePlace,
    /// The most recently used file is the last.
    open: VecDeque<(ConnId, File)>,
    /// A descriptor that is reserved while no file is open. Otherwise the client that takes the last
    /// descriptor could not be recorded.
    spare: Option<File>,
}

impl Files {
    /// Creates the directory if needed, and checks that no other user can write to it.
    pub(super) fn in_directory(path: &Path) -> io::Result<Self> {
        make_private_directory(path)?;
        // Links in the path could change later, and so could the current directory.
        let path = fs::canonicalize(path)?;
        let metadata = fs::metadata(&path)?;
        check_directory(&path, &metadata)?;
        let directory = FilePlace { identity: Identity::of(&metadata), path };
        let spare = Some(open_spare(&directory.path)?);
        Ok(Self { directory, open: VecDeque::new(), spare })
    }

    /// Creates a new file for this connection.
    pub(super) fn create(&mut self, id: ConnId, name: &str) -> io::Result<FilePlace> {
        self.check_directory_is_the_same()?;
        let path = self.directory.path.join(name);
        let file = self.with_room(|| private_file().write(true).create_new(true).open(&path))?;
        let identity = Identity::of(&file.metadata()?);
        self.keep(id, file);
        Ok(FilePlace { path, identity })
    }

    /// Returns the file of a connection, reopened if needed.
    pub(super) fn file(&mut self, id: ConnId, place: &FilePlace) -> io::Result<&mut File> {
        let open = self.open.iter().position(|(it, _)| *it == id).and_then(|at| self.open.remove(at));
        let file = match open {
            Some((_, file)) => file,
            None => self.with_room(|| reopen(place))?,
        };
        Ok(self.keep(id, file))
    }

    pub(super) fn close(&mut self, id: ConnId) {
        self.open.retain(|(it, _)| *it != id);
        self.keep_spare();
    }

    fn check_directory_is_the_same(&self) -> io::Result<()> {
        if Identity::of(&fs::metadata(&self.directory.path)?) == self.directory.identity {
            Ok(())
        } else {
            Err(io::Error::other("another directory is in the place of the one for recordings"))
        }
    }

    fn keep(&mut self, id: ConnId, file: File) -> &mut File {
        if self.open.len() == OPEN_FILES {
            self.open.pop_front();
        }
        let last = self.open.len();
        self.open.push_back((id, file));
        &mut self.open[last].1
    }

    /// Opens a file; if descriptors are short, frees some of this object's own first.
    fn with_room(&mut self, mut open: impl FnMut() -> io::Result<File>) -> io::Result<File> {
        let mut opened = open();
        while opened.as_ref().is_err_and(is_out_of_descriptors) && self.make_room() {
            opened = open();
        }
        if opened.is_err() {
            self.keep_spare();
        }
        opened
    }

    /// Closes the least recently used file or the spare descriptor; returns whether there was one.
    fn make_room(&mut self) -> bool {
        self.open.pop_front().is_some() || self.spare.take().is_some()
    }

    /// Reserves the descriptor that the last file released, before a client takes it.
    fn keep_spare(&mut self) {
        if self.open.is_empty() && self.spare.is_none() {
            self.spare = open_spare(&self.directory.path).ok();
        }
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// Returns the options to open a file that only its owner may read.
pub(in super::super) fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Reopens a file, if it is still the one that was created.
fn reopen(place: &FilePlace) -> io::Result<File> {
    let mut options = private_file();
    options.append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NOT_FOLLOWED_NOR_WAITED_FOR);
    let another = || io::Error::other("another file is in the place of its recording");
    // Opening some devices has effects, and without the flags opening a pipe would block.
    if Identity::of(&fs::symlink_metadata(&place.path)?) != place.identity {
        return Err(another());
    }
    let file = options.open(&place.path)?;
    if Identity::of(&file.metadata()?) == place.identity { Ok(file) } else { Err(another()) }
}

/// Creates a directory that only its owner may read: it gets the bytes of clients.
fn make_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn open_spare(directory: &Path) -> io::Result<File> {
    File::open(directory)
}

/// Returns an error: other systems don't open directories, and seldom run out of descriptors.
#[cfg(not(unix))]
fn open_spare(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Identifies a file independently of its path, by device and inode. An inode is reused after its file is
/// deleted, so owner and mode are compared too.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    owner: u32,
    mode: u32,
}

#[cfg(unix)]
impl Identity {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        Self { device: metadata.dev(), inode: metadata.ino(), owner: metadata.uid(), mode: metadata.mode() }
    }
}

/// # Errors
///
/// Another user owns the directory or can write to it.
#[cfg(unix)]
fn check_directory(path: &Path, metadata: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    const WRITABLE_BY_OTHERS: u32 = 0o022;

    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    let mode = metadata.mode() & 0o7777;
    if mode & WRITABLE_BY_OTHERS != 0 {
        return refuse(format!(
            "others can write to it (its mode is {mode:o}); `chmod go-w` takes that away"
        ));
    }
    let (owner, we) = (metadata.uid(), own_user(path)?);
    if owner != we {
        return refuse(format!("it belongs to user {owner}, and user {we} records"));
    }
    Ok(())
}

/// Returns the user id of this process: the owner of a file that it creates and removes.
#[cfg(unix)]
fn own_user(directory: &Path) -> io::Result<u32> {
    use std::{os::unix::fs::MetadataExt, time::SystemTime};

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let path = directory.join(format!(".wirehook-{}-{}", std::process::id(), now.as_nanos()));
    let file = private_file().write(true).create_new(true).open(&path)?;
    let user = file.metadata().map(|it| it.uid());
    fs::remove_file(&path)?;
    user
}

#[cfg(not(unix))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity;

#[cfg(not(unix))]
impl Identity {
    fn of(_: &Metadata) -> Self {
        Self
    }
}

#[cfg(not(unix))]
fn check_directory(_: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Flags of `open` against following a link (`O_NOFOLLOW`) and against waiting for a pipe (`O_NONBLOCK`). Two
/// numbers are not worth a dependency on `libc`; a test checks both. On systems where they are not known
/// here, the checks around `open` must suffice.
#[cfg(unix)]
const NOT_FOLLOWED_NOR_WAITED_FOR: i32 = {
    const IS_LINUX: bool = cfg!(any(target_os = "linux", target_os = "android"));
    const IS_BSD: bool = cfg!(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ));

    if IS_BSD {
        0x100 | 0x4
    } else if IS_LINUX && cfg!(any(target_arch = "x86", target_arch = "x86_64", target_arch = "riscv64")) {
        0o400_000 | 0o4_000
    } else if IS_LINUX && cfg!(any(target_arch = "arm", target_arch = "aarch64", target_arch = "powerpc64")) {
        0o100_000 | 0o4_000
    } else {
        0
    }
};

#[cfg(all(test, unix))]
mod tests {
    use std::{
        os::unix::fs::{PermissionsExt, symlink},
        process::Command,
    };

    use super::*;

    /// A directory that is removed at the end of its test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> io::Result<Self> {
            let path = std::env::temp_dir().join(format!("wirehook-{name}-{}", std::process::id()));
            make_private_directory(&path)?;
            Ok(Self(path))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Creates a file in a directory, and closes it.
    fn place(directory: &Path) -> io::Result<FilePlace> {
        let path = directory.join("recording");
        let file = private_file().write(true).create_new(true).open(&path)?;
        Ok(FilePlace { identity: Identity::of(&file.metadata()?), path })
    }

    #[test]
    fn the_flags_of_open_match_this_system() -> io::Result<()> {
        let scratch = Scratch::new("flags")?;
        let (link, target, pipe) = (scratch.0.join("link"), scratch.0.join("target"), scratch.0.join("pipe"));
        File::create(&target)?;
        symlink(&target, &link)?;
        assert!(Command::new("mkfifo").arg(&pipe).status()?.success());
        let open = |path: &Path| {
            let mut options = private_file();
            std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NOT_FOLLOWED_NOR_WAITED_FOR);
            options.append(true).open(path)
        };
        assert!(open(&target).is_ok());
        assert!(open(&link).is_err(), "a link is not followed");
        // Without the flag this would block until a reader opens the pipe.
        assert!(open(&pipe).is_err(), "a pipe is not waited for");
        Ok(())
    }

    #[test]
    fn only_the_created_file_is_reopened() -> io::Result<()> {
        let scratch = Scratch::new("reopen")?;
        let place = place(&scratch.0)?;
        assert!(reopen(&place).is_ok());
        let moved = scratch.0.join("moved");
        fs::rename(&place.path, &moved)?;
        assert!(reopen(&place).is_err(), "nothing is there");
        fs::write(&place.path, "another")?;
        assert!(reopen(&place).is_err(), "another file");
        fs::remove_file(&place.path)?;
        symlink(&moved, &place.path)?;
        assert!(reopen(&place).is_err(), "a link, even to the file itself");
        fs::remove_file(&place.path)?;
        assert!(Command::new("mkfifo").arg(&place.path).status()?.success());
        assert!(reopen(&place).is_err(), "a pipe");
        fs::remove_file(&place.path)?;
        fs::hard_link(&moved, &place.path)?;
        assert!(reopen(&place).is_ok(), "the file itself is back");
        assert_eq!(fs::read(&moved)?, b"");
        Ok(())
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() -> io::Result<()> {
        let scratch = Scratch::new("mode")?;
        for (mode, is_refused) in
            [(0o700, false), (0o755, false), (0o720, true), (0o702, true), (0o1777, true)]
        {
            fs::set_permissions(&scratch.0, fs::Permissions::from_mode(mode))?;
            let files = Files::in_directory(&scratch.0);
            let error = files.err().map(|it| it.to_string()).unwrap_or_default();
            assert_eq!(!error.is_empty(), is_refused, "{mode:o}: {error}");
            assert!(error.is_empty() || error.contains("chmod go-w") && error.contains(&format!("{mode:o}")));
        }
        assert_eq!(fs::read_dir(&scratch.0)?.count(), 0, "no file remains");
        Ok(())
    }

    #[test]
    fn a_directory_of_another_user_is_refused() -> io::Result<()> {
        let scratch = Scratch::new("owner")?;
        // Only root can change the owner.
        if std::os::unix::fs::chown(&scratch.0, Some(1), None).is_err() {
            eprintln!("skipped: only root can make a directory of another user's");
            return Ok(());
        }
        let error = Files::in_directory(&scratch.0).err().map(|it| it.to_string());
        assert_eq!(error.as_deref(), Some("it belongs to user 1, and user 0 records"));
        Ok(())
    }

    #[test]
    fn a_replaced_directory_gets_no_files() -> io::Result<()> {
        let scratch = Scratch::new("swapped")?;
        let directory = scratch.0.join("recordings");
        let files = Files::in_directory(&directory)?;
        fs::rename(&directory, scratch.0.join("moved"))?;
        fs::create_dir(&directory)?;
        assert!(files.check_directory_is_the_same().is_err());
        fs::remove_dir(&directory)?;
        symlink(scratch.0.join("moved"), &directory)?;
        assert!(files.check_directory_is_the_same().is_ok(), "the same one, moved");
        Ok(())
    }

    #[test]
    fn one_descriptor_is_always_kept_for_recording() -> io::Result<()> {
        let scratch = Scratch::new("spare")?;
        let mut files = Files::in_directory(&scratch.0)?;
        assert!(files.spare.is_some());
        let mut failures = 1;
        let mut open = || {
            if failures == 0 {
                return File::open(&scratch.0);
            }
            failures -= 1;
            Err(io::Error::from_raw_os_error(EMFILE))
        };
        drop(files.with_room(&mut open)?);
        assert!(files.spare.is_none(), "it is given up for the file");
        files.keep_spare();
        assert!(files.spare.is_some(), "and taken again when the file is closed");
        let none_at_all = files.with_room(|| Err(io::Error::from_raw_os_error(ENFILE)));
        assert!(none_at_all.is_err() && files.spare.is_some());
        Ok(())
    }
}
