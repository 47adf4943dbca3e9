;; Has a second memory, past the limit for the first.
(component (core module (memory 1) (memory 1)))
