;; Has a map.
(component (component (type (map string u32))))
