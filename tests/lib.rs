//! Nothing of its own: the integration binary `it` is the package.
