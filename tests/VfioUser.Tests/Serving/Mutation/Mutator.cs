using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Takes valid messages and spoils them, now here, now there. What it does follows from its seed alone.</summary>
/// <remarks>In between it follows a script, step by step, so that what follows upon another thing is reached as well.</remarks>
internal sealed class Mutator(int seed)
{
    private byte[][][] _scripts = [];
    private byte[][] _script = [];
    private int _step;

    /// <summary>Bytes that a mutated message has at most.</summary>
    public const int MaxLength = 4096;

    public Random Random { get; } = new(seed);

    /// <summary>A client begins, and follows these scripts, one after another.</summary>
    public void Begin(byte[][][] scripts)
    {
        _scripts = scripts;
        _script = [];
        _step = 0;
    }

    /// <summary>True once in a while.</summary>
    public bool Once(int times) => Random.Next(times) == 0;

    /// <summary>Writes a message.</summary>
    /// <param name="into">At least <see cref="MaxLength"/> bytes.</param>
    /// <param name="mayCarry">Whether it should be one that descriptors belong to.</param>
    /// <returns>Its length.</returns>
    public int Next(Span<byte> into, bool mayCarry)
    {
        bool scripted = !mayCarry && _scripts.Length > 0 && Once(4);
        byte[] message = scripted ? Follow() : Any(mayCarry ? Corpus.WithDescriptors : Corpus.Messages);
        message.CopyTo(into);
        int length = message.Length;
        MemoryMarshal.Write(into, (ushort)Random.Next(0x400, 0x10000));
        if (scripted && !Once(30))
            return length;
        if (message[2] is (byte)Command.DmaRead or (byte)Command.DmaWrite)
            MemoryMarshal.Write(into, (ushort)(Random.Next(8) * 0x100));
        if (Once(3))
            into[8] |= (byte)MessageFlags.NoReply;
        int payload = length - MessageHeader.WireSize;
        switch (Random.Next(100))
        {
            case < 35:
                break; // unchanged, and valid
            case < 60:
                SetField(into.Slice(MessageHeader.WireSize, payload), sizeof(uint));
                break;
            case < 75:
                SetField(into.Slice(MessageHeader.WireSize, payload), sizeof(ulong));
                break;
            case < 87:
                for (int times = Random.Next(1, 5); times > 0 && payload > 0; times--)
                    into[MessageHeader.WireSize + Random.Next(payload)] ^= (byte)(1 << Random.Next(8));
                break;
            case < 94:
                length = Resize(into, length);
                break;
            case < 97:
                into[2] = (byte)Random.Next(20); // the command
                break;
            case < 99:
                into[8 + Random.Next(8)] = (byte)Random.Next(256); // flags, error
                break;
            default:
                // few of these, for they end the session sooner or later
                if (Once(8))
                    BreakSize(into);
                break;
        }
        return length;
    }

    private T Any<T>(T[] all) => all[Random.Next(all.Length)];

    private byte[] Follow()
    {
        if (_step == _script.Length)
            (_script, _step) = (Any(_scripts), 0);
        return _script[_step++];
    }

    private void SetField(Span<byte> payload, int width)
    {
        if (payload.Length < width)
            return;
        int at = Random.Next(payload.Length / width) * width;
        ulong value = Random.Next(4) switch
        {
            0 => (ulong)Random.NextInt64(),
            1 => (ulong)Random.Next(256),
            _ => Corpus.Borders[Random.Next(Corpus.Borders.Length)],
        };
        if (width == sizeof(uint))
            MemoryMarshal.Write(payload[at..], (uint)value);
        else
            MemoryMarshal.Write(payload[at..], value);
    }

    // shorter or longer, and the header says so
    private int Resize(Span<byte> into, int length)
    {
        int resized = Once(20) ? Random.Next(MessageHeader.WireSize, MaxLength) : Math.Clamp(length + Random.Next(-24, 25), MessageHeader.WireSize, MaxLength);
        if (resized > length)
            into[length..resized].Clear();
        MemoryMarshal.Write(into[4..], (uint)resized);
        return resized;
    }

    private void BreakSize(Span<byte> into) =>
        MemoryMarshal.Write(into[4..], Once(2) ? (uint)Random.Next(64) : (uint)Corpus.Borders[Random.Next(Corpus.Borders.Length)]);
}
