;; Exports a function that waits on a stack of its own.
(component
  (component
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") async (canon lift (core func $i "f") async))))
