namespace VfioUser.Nvme;

/// <summary>What a reservation keeps from other hosts. NVMe 2.0 figure 366.</summary>
internal enum ReservationType : byte
{
    None = 0,
    WriteExclusive = 1,
    ExclusiveAccess = 2,
    WriteExclusiveRegistrantsOnly = 3,
    ExclusiveAccessRegistrantsOnly = 4,
    WriteExclusiveAllRegistrants = 5,
    ExclusiveAccessAllRegistrants = 6,
}

/// <summary>What follows from the type.</summary>
internal static class ReservationTypes
{
    /// <summary>Whether a driver can ask for it.</summary>
    public static bool IsValid(this ReservationType type) => type is >= ReservationType.WriteExclusive and <= ReservationType.ExclusiveAccessAllRegistrants;

    /// <summary>Whether each registrant is a holder.</summary>
    public static bool IsOfAllRegistrants(this ReservationType type) =>
        type is ReservationType.WriteExclusiveAllRegistrants or ReservationType.ExclusiveAccessAllRegistrants;

    /// <summary>Whether one host alone may do what others may not.</summary>
    public static bool IsOfHolderAlone(this ReservationType type) => type is ReservationType.WriteExclusive or ReservationType.ExclusiveAccess;

    /// <summary>Whether anybody may read.</summary>
    public static bool LetsRead(this ReservationType type) => type is ReservationType.None or ReservationType.WriteExclusive
        or ReservationType.WriteExclusiveRegistrantsOnly or ReservationType.WriteExclusiveAllRegistrants;
}
