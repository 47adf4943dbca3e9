;; Has a list whose length is part of its type.
(component (component (type (list u8 4))))
