/** The lowest contrast of any text with what lies under it, by WCAG 2.2; semi-transparent layers are blended by a canvas. */
export const LOWEST_CONTRAST = `(() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true })
  const paint = (color) => { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3) }
  const luminance = (rgb) => rgb.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)
  const layers = (element) => element === null ? ['Canvas'] : [...layers(element.parentElement), getComputedStyle(element).backgroundColor]
  const texts = [...document.querySelectorAll('body *')].filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
  return Math.min(...texts.map((one) => {
    const [below] = layers(one).map(paint).reverse()
    const [low, high] = [luminance(below), luminance(paint(getComputedStyle(one).color))].sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
  }))
})()`
