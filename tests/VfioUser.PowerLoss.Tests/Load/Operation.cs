namespace VfioUser.PowerLoss.Tests.Load;

internal enum OperationKind
{
    Read,
    Write,

    /// <summary>A write that is durable when it is answered: Force Unit Access.</summary>
    DurableWrite,
    Zero,
    Trim,
    Flush,
}

/// <summary>What a guest asks of its disk.</summary>
/// <param name="Kind">What.</param>
/// <param name="Sector">The first one, of 512 bytes.</param>
/// <param name="Count">Sectors.</param>
/// <param name="Version">Of what is written.</param>
internal readonly record struct Operation(OperationKind Kind, int Sector, int Count, ulong Version)
{
    public const int SectorSize = 512;

    public int Length => Count * SectorSize;

    public bool Overlaps(in Operation other) => Sector < other.Sector + other.Count && other.Sector < Sector + Count;
}
