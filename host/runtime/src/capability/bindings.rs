//! `tenon:runtime/bindings`: which ERP record is which counterpart record.

use wasmtime::Result;

use super::{RunState, admit_names};
use crate::contract::tenon::runtime::bindings::{Binding, Host};
use crate::limits::Breach;
use crate::platform;

/// Bytes of a fingerprint; a digest has 32, a connector may keep a few fields in it.
const LONGEST_FINGERPRINT: usize = 4 << 10;

impl From<platform::Binding> for Binding {
    fn from(binding: platform::Binding) -> Self {
        Binding {
            kind: binding.kind,
            key: binding.key,
            origin: binding.origin,
            fingerprint: binding.fingerprint,
        }
    }
}

impl From<Binding> for platform::Binding {
    fn from(binding: Binding) -> Self {
        platform::Binding {
            kind: binding.kind,
            key: binding.key,
            origin: binding.origin,
            fingerprint: binding.fingerprint,
        }
    }
}

fn for_guest(found: Vec<Option<platform::Binding>>) -> Vec<Option<Binding>> {
    found
        .into_iter()
        .map(|binding| binding.map(Binding::from))
        .collect()
}

impl Host for RunState {
    async fn by_origin(
        &mut self,
        kind: String,
        origins: Vec<String>,
    ) -> Result<Vec<Option<Binding>>> {
        self.admit(&origins)?;
        let found = self.work()?.bindings_by_origin(kind, origins).await?;
        Ok(for_guest(found))
    }

    async fn by_key(&mut self, kind: String, keys: Vec<String>) -> Result<Vec<Option<Binding>>> {
        self.admit(&keys)?;
        let found = self.work()?.bindings_by_key(kind, keys).await?;
        Ok(for_guest(found))
    }

    async fn bind(&mut self, bindings: Vec<Binding>) -> Result<()> {
        self.admit(&bindings)?;
        for Binding {
            kind, key, origin, ..
        } in &bindings
        {
            admit_names("host.limit.name.binding", [kind, key, origin])?;
        }
        let long = (bindings.iter())
            .filter_map(|binding| binding.fingerprint.as_ref())
            .find(|fingerprint| fingerprint.len() > LONGEST_FINGERPRINT);
        if let Some(fingerprint) = long {
            let length = fingerprint.len();
            return Err(
                Breach::Name("host.limit.name.fingerprint", length, LONGEST_FINGERPRINT).into(),
            );
        }
        for binding in bindings.iter().filter(|one| one.fingerprint.is_some()) {
            self.observer
                .agreed(&binding.kind, &binding.key, &binding.origin);
        }
        let bindings = bindings.into_iter().map(platform::Binding::from).collect();
        Ok(self.work()?.bind(bindings).await?)
    }

    async fn unbind(&mut self, kind: String, keys: Vec<String>) -> Result<()> {
        self.admit(&keys)?;
        Ok(self.work()?.unbind(kind, keys).await?)
    }
}
