namespace VfioUser;

/// <summary>Whether a migration carries a register.</summary>
public enum RegisterMigration
{
    /// <summary>Always: a migration to a device without it fails, and so does one from a device that should have it.</summary>
    Required,

    /// <summary>If both devices have it. Without it the register keeps its reset value.</summary>
    Optional,

    /// <summary>Never: it has its reset value after the migration.</summary>
    Skip,
}
