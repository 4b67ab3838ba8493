namespace VfioUser.Docs.Tests.Registers;

/// <summary>The registers of one receive queue: the card has four of them.</summary>
internal sealed class Queue
{
    private readonly RegisterBlock _block;

    public Queue(RegisterBlock block, int index)
    {
        _block = block;
        Base = block.AddRegister<ulong>(0x00, new() { Name = "BASE", WriteMask = ~0xFFFul });
        Head = block.AddRegister<uint>(0x10, new() { Name = "HEAD", Access = RegisterAccess.ReadOnly });
        Tail = block.AddRegister<uint>(0x18, new() { Name = "TAIL", OnWrite = write => Written.Add((index, write.Old, write.New)) });
    }

    public Register<ulong> Base { get; }

    public Register<uint> Head { get; }

    public Register<uint> Tail { get; }

    public List<(int Queue, uint Old, uint New)> Written { get; } = [];

    public void Reset() => _block.ResetRegisters();
}
