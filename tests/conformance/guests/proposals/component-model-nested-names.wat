;; Imports from a namespace within a namespace.
(component (component (import "a:b:c/d" (instance))))
