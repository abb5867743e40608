//! Certificates of the tests' own, made by `openssl` once for all tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Certificates and keys in files: a CA, and what it has signed.
pub(super) struct Certificates {
    folder: PathBuf,
}

/// Returns the certificates of this process.
pub(super) fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(Certificates::make)
}

impl Certificates {
    fn make() -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for certificates");
        let it = Self { folder };
        let authority = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
            -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem";
        it.openssl(authority);
        for (name, alternatives) in [
            ("localhost", "DNS:localhost,IP:127.0.0.1"),
            ("example", "DNS:example.org"),
            ("client", "DNS:ann"),
        ] {
            it.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} \
                -addext subjectAltName={alternatives} -addext basicConstraints=critical,CA:FALSE \
                -CA ca.pem -CAkey ca.key -keyout {name}.key -out {name}.pem"
            ));
        }
        it
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace()).current_dir(&self.folder);
        let output = command.stdin(Stdio::null()).output().expect("openssl is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Returns the path of a file.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Returns the bytes of a file.
    pub(super) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).expect("the file was made")
    }

    /// Returns the certificate and the key with this name.
    pub(super) fn pair(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")))
    }
}

/// Copies a pair of files over another.
pub(super) fn copy((from, from_key): &(PathBuf, PathBuf), to: &Path, to_key: &Path) {
    fs::copy(from, to).expect("a copy");
    fs::copy(from_key, to_key).expect("a copy");
}
