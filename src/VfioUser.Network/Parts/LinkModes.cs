namespace VfioUser.Network;

/// <summary>What an end of a twisted-pair link can do, or both of them. IEEE 802.3 28B.</summary>
[Flags]
public enum LinkModes
{
    /// <summary>Nothing: there is no cable, or nobody at its other end.</summary>
    None = 0,

    /// <summary>10BASE-T, half duplex.</summary>
    Half10 = 1 << 0,

    /// <summary>10BASE-T, full duplex.</summary>
    Full10 = 1 << 1,

    /// <summary>100BASE-TX, half duplex.</summary>
    Half100 = 1 << 2,

    /// <summary>100BASE-TX, full duplex.</summary>
    Full100 = 1 << 3,

    /// <summary>1000BASE-T, half duplex.</summary>
    Half1000 = 1 << 4,

    /// <summary>1000BASE-T, full duplex.</summary>
    Full1000 = 1 << 5,

    /// <summary>Pause frames both ways.</summary>
    Pause = 1 << 6,

    /// <summary>Pause frames one way.</summary>
    AsymmetricPause = 1 << 7,

    /// <summary>All of 10 and 100 Mb/s, with pause frames.</summary>
    FastEthernet = Half10 | Full10 | Half100 | Full100 | Pause | AsymmetricPause,

    /// <summary>All of 10, 100 and 1000 Mb/s, with pause frames.</summary>
    GigabitEthernet = FastEthernet | Half1000 | Full1000,
}
