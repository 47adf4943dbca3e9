;; Names a module once for two imports.
(component
  (component
    (core module (import "m" (item "a" (func)) (item "b" (func))))))
