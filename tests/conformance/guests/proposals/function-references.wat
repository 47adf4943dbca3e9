;; Calls a reference to a function.
(component
  (core module
    (type $called (func))
    (func (param (ref $called)) (call_ref $called (local.get 0)))))
