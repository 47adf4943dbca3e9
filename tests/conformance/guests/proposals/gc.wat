;; Calls a function through a table by a type that it is a subtype of. An engine that is built without
;; a collector and checks subtypes all the same ends its process here (RUSTSEC-2026-0570).
(component
  (core module
    (type $super (sub (func)))
    (type $sub (sub $super (func)))
    (table 1 1 funcref)
    (func $called (type $sub))
    (elem (i32.const 0) func $called)
    (func $start (call_indirect (type $super) (i32.const 0)))
    (start $start)))
