;; Passes values as objects that are collected.
(component
  (component
    (core type $f (func))
    (import "f" (func $f))
    (core func (canon lower (func $f) gc (core-type $f)))))
