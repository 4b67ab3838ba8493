using System.Buffers.Binary;
using System.Text;
using static VfioUser.Disks.NbdProtocol;

namespace VfioUser.Disks;

/// <summary>Fixed newstyle negotiation: from a connected socket to an export.</summary>
/// <remarks>Each length that the server says is bounded, and so is the number of its replies.</remarks>
internal sealed class NbdHandshake(NbdSocket socket, NbdReader reader)
{
    private const int LongestReply = 16 << 10;
    private const int MostReplies = 64;

    /// <exception cref="NbdRefusedException">The server does not give the export.</exception>
    /// <exception cref="NbdProtocolException">It is no NBD server, or one of the old style.</exception>
    public NbdExport Run(string name)
    {
        if (reader.UInt64() != ServerMagic || reader.UInt64() != OptionMagic)
            throw new NbdProtocolException("It is no NBD server, or one without newstyle negotiation.");
        ushort flags = reader.UInt16();
        if ((flags & FixedNewstyle) == 0)
            throw new NbdProtocolException("The NBD server has no fixed newstyle negotiation.");
        byte[] mine = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(mine, (uint)(flags & (FixedNewstyle | NoZeroes)));
        socket.Send(mine);

        SendOption(OptionStructuredReply, []);
        bool structured = Reply(OptionStructuredReply).Type == ReplyAck;
        return Go(name, structured) ?? ExportName(name, structured, hasZeroes: (flags & NoZeroes) == 0);
    }

    // null: the server does not know the option
    private NbdExport? Go(string name, bool structured)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        byte[] data = new byte[sizeof(uint) + bytes.Length + 2 * sizeof(ushort)];
        BinaryPrimitives.WriteUInt32BigEndian(data, (uint)bytes.Length);
        bytes.CopyTo(data, sizeof(uint));
        BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(sizeof(uint) + bytes.Length), 1);
        BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(sizeof(uint) + bytes.Length + sizeof(ushort)), InfoBlockSize);
        SendOption(OptionGo, data);
        (ulong Size, ushort Flags)? export = null;
        (uint, uint, uint)? blocks = null;
        for (int i = 0; i < MostReplies; i++)
        {
            (uint type, byte[] reply) = Reply(OptionGo);
            switch (type)
            {
                case ReplyInfo when reply.Length >= sizeof(ushort):
                    ReadInfo(reply, ref export, ref blocks);
                    break;
                case ReplyAck:
                    return export is { } said ? NbdExport.Create(said.Size, said.Flags, structured, blocks)
                        : throw new NbdProtocolException("The NBD server has not said how large the export is.");
                case ErrorUnsupported:
                    return null;
                case >= ReplyError:
                    throw new NbdRefusedException($"The NBD server refuses the export '{name}': {Reason(type, reply)}");
                default:
                    throw new NbdProtocolException($"The NBD server answers with {type}.");
            }
        }
        throw new NbdProtocolException("The NBD server has no end of answers.");
    }

    private static void ReadInfo(ReadOnlySpan<byte> reply, ref (ulong, ushort)? export, ref (uint, uint, uint)? blocks)
    {
        ushort kind = BinaryPrimitives.ReadUInt16BigEndian(reply);
        if (kind == InfoExport)
        {
            if (reply.Length != 12)
                throw new NbdProtocolException($"The NBD server says {reply.Length} bytes of the export.");
            export = (BinaryPrimitives.ReadUInt64BigEndian(reply[2..]), BinaryPrimitives.ReadUInt16BigEndian(reply[10..]));
        }
        else if (kind == InfoBlockSize)
        {
            if (reply.Length != 14)
                throw new NbdProtocolException($"The NBD server says {reply.Length} bytes of the export's blocks.");
            blocks = (BinaryPrimitives.ReadUInt32BigEndian(reply[2..]), BinaryPrimitives.ReadUInt32BigEndian(reply[6..]), BinaryPrimitives.ReadUInt32BigEndian(reply[10..]));
        }
    }

    // an older server closes the connection if it has no such export
    private NbdExport ExportName(string name, bool structured, bool hasZeroes)
    {
        SendOption(OptionExportName, Encoding.UTF8.GetBytes(name));
        ulong size = reader.UInt64();
        ushort flags = reader.UInt16();
        if (hasZeroes)
            reader.Take(124);
        return NbdExport.Create(size, flags, structured, blocks: null);
    }

    private (uint Type, byte[] Data) Reply(uint option)
    {
        if (reader.UInt64() != OptionReplyMagic)
            throw new NbdProtocolException("The NBD server's answer does not begin as one.");
        uint about = reader.UInt32();
        uint type = reader.UInt32();
        uint length = reader.UInt32();
        if (about != option || length > LongestReply)
            throw new NbdProtocolException($"The NBD server answers option {option} with {length} bytes about option {about}.");
        return (type, reader.Take((int)length).ToArray());
    }

    private void SendOption(uint option, byte[] data)
    {
        byte[] message = new byte[16 + data.Length];
        BinaryPrimitives.WriteUInt64BigEndian(message, OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(12), (uint)data.Length);
        data.CopyTo(message, 16);
        socket.Send(message);
    }

    // for people; what is in it is the server's, so no more of it than a line
    private static string Reason(uint type, byte[] text)
    {
        string said = new(Encoding.UTF8.GetString(text, 0, Math.Min(text.Length, 200)).Where(c => !char.IsControl(c)).ToArray());
        return said.Length > 0 ? said : $"error {type & ~ReplyError}";
    }
}
