;; Passes a value on.
(component (component (import "v" (value $v string)) (export "w" (value $v))))
