;; Has a memory that 32 bits do not address.
(component (core module (memory i64 1)))
