using System.Runtime.InteropServices;
using System.Text;

namespace VfioUser.Virtio;

/// <summary>What the configuration structure of an input device says, for each question of the driver's.</summary>
/// <remarks>Immutable. VIRTIO 1.3 5.8.4 "Device configuration layout".</remarks>
internal sealed class InputDescription
{
    public const int ConfigLength = HeaderLength + VirtioInputOptions.MaxData;

    private const int HeaderLength = 8;
    private const int SizeOffset = 2;

    private readonly Dictionary<(InputSelector, byte), byte[]> _answers = [];

    public InputDescription(VirtioInputOptions options)
    {
        Add(InputSelector.Name, 0, Encoding.UTF8.GetBytes(options.Name));
        Add(InputSelector.Serial, 0, Encoding.UTF8.GetBytes(options.Serial));
        Add(InputSelector.Ids, 0, BytesOf(options.Ids));
        Add(InputSelector.Properties, 0, Bitmap(options.Properties));
        foreach ((InputEventType type, IReadOnlyList<int> codes) in options.Codes)
            Add(InputSelector.Events, (byte)type, Bitmap(codes));
        foreach ((int axis, InputAxis range) in options.Axes)
            Add(InputSelector.Axis, (byte)axis, BytesOf(range));
        if (options.Axes.Count > 0)
        {
            IEnumerable<int> more = options.Codes.TryGetValue(InputEventType.Absolute, out IReadOnlyList<int>? declared) ? declared : [];
            Add(InputSelector.Events, (byte)InputEventType.Absolute, Bitmap([.. options.Axes.Keys, .. more]));
        }
    }

    /// <summary>The structure, for one question.</summary>
    public void Write(InputSelector selector, byte of, Span<byte> config)
    {
        config.Clear();
        config[0] = (byte)selector;
        config[1] = of;
        if (!_answers.TryGetValue((selector, of), out byte[]? answer))
            return;
        config[SizeOffset] = (byte)answer.Length;
        answer.CopyTo(config[HeaderLength..]);
    }

    private static byte[] BytesOf<T>(T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    // as long as the highest bit asks for
    private static byte[] Bitmap(IReadOnlyList<int> bits)
    {
        byte[] map = new byte[bits.Count == 0 ? 0 : bits.Max() / 8 + 1];
        foreach (int bit in bits)
            map[bit / 8] |= (byte)(1 << (bit % 8));
        return map;
    }

    private void Add(InputSelector selector, byte of, byte[] answer) => _answers[(selector, of)] = answer;
}
