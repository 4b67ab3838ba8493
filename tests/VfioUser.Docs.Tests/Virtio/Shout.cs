using System.Text;
using VfioUser.Virtio;

namespace VfioUser.Docs.Tests.Virtio;

internal sealed class Shout : VirtioDevice
{
    private readonly VirtioConfig<ShoutConfig> _config;
    private readonly byte[] _text = new byte[4096];

    public Shout()
        : base((VirtioDeviceType)63, queues: 1, (ulong)VirtioFeatures.RingPacked)
    {
        AddQueue("text", maxSize: 256, Serve);
        _config = AddConfig(new ShoutConfig());
        EnableMigration();
    }

    private void Serve(VirtioChain chain)
    {
        // the driver may send any length, and have room for any
        Span<byte> text = _text.AsSpan(0, (int)Math.Min(Math.Min(chain.Readable.Length, chain.Writable.Length), _text.Length));
        bool isDone = chain.Readable.TryRead(0, text);
        Ascii.ToUpperInPlace(text, out _);
        chain.Complete(isDone && chain.Writable.TryWrite(0, text) ? text.Length : 0);
        _config.Value = new ShoutConfig { Requests = _config.Value.Requests + 1 };
    }
}
