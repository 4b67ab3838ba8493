namespace VfioUser.Virtio;

/// <summary>A key of a keyboard, by what it has printed on it where the layout is American. Any other code may be cast to it.</summary>
/// <remarks>Linux: KEY_ of linux/input-event-codes.h.</remarks>
public enum InputKey
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Esc.</summary>
    Escape = 1,

    /// <summary>The key 1</summary>
    Digit1 = 2,

    /// <summary>The key 2</summary>
    Digit2 = 3,

    /// <summary>The key 3</summary>
    Digit3 = 4,

    /// <summary>The key 4</summary>
    Digit4 = 5,

    /// <summary>The key 5</summary>
    Digit5 = 6,

    /// <summary>The key 6</summary>
    Digit6 = 7,

    /// <summary>The key 7</summary>
    Digit7 = 8,

    /// <summary>The key 8</summary>
    Digit8 = 9,

    /// <summary>The key 9</summary>
    Digit9 = 10,

    /// <summary>The key 0</summary>
    Digit0 = 11,

    /// <summary>The key -</summary>
    Minus = 12,

    /// <summary>The key =</summary>
    Equal = 13,

    /// <summary>Backspace.</summary>
    Backspace = 14,

    /// <summary>Tabulator.</summary>
    Tab = 15,

    /// <summary>The key Q</summary>
    Q = 16,

    /// <summary>The key W</summary>
    W = 17,

    /// <summary>The key E</summary>
    E = 18,

    /// <summary>The key R</summary>
    R = 19,

    /// <summary>The key T</summary>
    T = 20,

    /// <summary>The key Y</summary>
    Y = 21,

    /// <summary>The key U</summary>
    U = 22,

    /// <summary>The key I</summary>
    I = 23,

    /// <summary>The key O</summary>
    O = 24,

    /// <summary>The key P</summary>
    P = 25,

    /// <summary>The key [</summary>
    LeftBracket = 26,

    /// <summary>The key ]</summary>
    RightBracket = 27,

    /// <summary>Enter.</summary>
    Enter = 28,

    /// <summary>Left control.</summary>
    LeftControl = 29,

    /// <summary>The key A</summary>
    A = 30,

    /// <summary>The key S</summary>
    S = 31,

    /// <summary>The key D</summary>
    D = 32,

    /// <summary>The key F</summary>
    F = 33,

    /// <summary>The key G</summary>
    G = 34,

    /// <summary>The key H</summary>
    H = 35,

    /// <summary>The key J</summary>
    J = 36,

    /// <summary>The key K</summary>
    K = 37,

    /// <summary>The key L</summary>
    L = 38,

    /// <summary>The key ;</summary>
    Semicolon = 39,

    /// <summary>The key '</summary>
    Apostrophe = 40,

    /// <summary>The key `</summary>
    Grave = 41,

    /// <summary>Left shift.</summary>
    LeftShift = 42,

    /// <summary>The key \</summary>
    Backslash = 43,

    /// <summary>The key Z</summary>
    Z = 44,

    /// <summary>The key X</summary>
    X = 45,

    /// <summary>The key C</summary>
    C = 46,

    /// <summary>The key V</summary>
    V = 47,

    /// <summary>The key B</summary>
    B = 48,

    /// <summary>The key N</summary>
    N = 49,

    /// <summary>The key M</summary>
    M = 50,

    /// <summary>The key ,</summary>
    Comma = 51,

    /// <summary>The key .</summary>
    Dot = 52,

    /// <summary>The key /</summary>
    Slash = 53,

    /// <summary>Right shift.</summary>
    RightShift = 54,

    /// <summary>* of the keypad.</summary>
    KeypadAsterisk = 55,

    /// <summary>Left alt.</summary>
    LeftAlt = 56,

    /// <summary>Space bar.</summary>
    Space = 57,

    /// <summary>Caps lock.</summary>
    CapsLock = 58,

    /// <summary>F1.</summary>
    F1 = 59,

    /// <summary>F2.</summary>
    F2 = 60,

    /// <summary>F3.</summary>
    F3 = 61,

    /// <summary>F4.</summary>
    F4 = 62,

    /// <summary>F5.</summary>
    F5 = 63,

    /// <summary>F6.</summary>
    F6 = 64,

    /// <summary>F7.</summary>
    F7 = 65,

    /// <summary>F8.</summary>
    F8 = 66,

    /// <summary>F9.</summary>
    F9 = 67,

    /// <summary>F10.</summary>
    F10 = 68,

    /// <summary>Num lock.</summary>
    NumLock = 69,

    /// <summary>Scroll lock.</summary>
    ScrollLock = 70,

    /// <summary>7 of the keypad.</summary>
    Keypad7 = 71,

    /// <summary>8 of the keypad.</summary>
    Keypad8 = 72,

    /// <summary>9 of the keypad.</summary>
    Keypad9 = 73,

    /// <summary>- of the keypad.</summary>
    KeypadMinus = 74,

    /// <summary>4 of the keypad.</summary>
    Keypad4 = 75,

    /// <summary>5 of the keypad.</summary>
    Keypad5 = 76,

    /// <summary>6 of the keypad.</summary>
    Keypad6 = 77,

    /// <summary>+ of the keypad.</summary>
    KeypadPlus = 78,

    /// <summary>1 of the keypad.</summary>
    Keypad1 = 79,

    /// <summary>2 of the keypad.</summary>
    Keypad2 = 80,

    /// <summary>3 of the keypad.</summary>
    Keypad3 = 81,

    /// <summary>0 of the keypad.</summary>
    Keypad0 = 82,

    /// <summary>. of the keypad.</summary>
    KeypadDot = 83,

    /// <summary>Key beside the left shift, of keyboards with 102 keys.</summary>
    Less = 86,

    /// <summary>F11.</summary>
    F11 = 87,

    /// <summary>F12.</summary>
    F12 = 88,

    /// <summary>Enter of the keypad.</summary>
    KeypadEnter = 96,

    /// <summary>Right control.</summary>
    RightControl = 97,

    /// <summary>/ of the keypad.</summary>
    KeypadSlash = 98,

    /// <summary>Print screen.</summary>
    PrintScreen = 99,

    /// <summary>Right alt.</summary>
    RightAlt = 100,

    /// <summary>Home.</summary>
    Home = 102,

    /// <summary>Arrow up.</summary>
    Up = 103,

    /// <summary>Page up.</summary>
    PageUp = 104,

    /// <summary>Arrow left.</summary>
    Left = 105,

    /// <summary>Arrow right.</summary>
    Right = 106,

    /// <summary>End.</summary>
    End = 107,

    /// <summary>Arrow down.</summary>
    Down = 108,

    /// <summary>Page down.</summary>
    PageDown = 109,

    /// <summary>Insert.</summary>
    Insert = 110,

    /// <summary>Delete.</summary>
    Delete = 111,

    /// <summary>Mute.</summary>
    Mute = 113,

    /// <summary>Volume down.</summary>
    VolumeDown = 114,

    /// <summary>Volume up.</summary>
    VolumeUp = 115,

    /// <summary>Power.</summary>
    Power = 116,

    /// <summary>Pause.</summary>
    Pause = 119,

    /// <summary>Left key with a logo.</summary>
    LeftMeta = 125,

    /// <summary>Right key with a logo.</summary>
    RightMeta = 126,

    /// <summary>Menu.</summary>
    Menu = 127,
}
